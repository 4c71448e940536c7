//! Costs: what follows from speed, power and price for the work that is asked.

use super::need::{Api, What, Workload};

/// Days of a year.
const DAYS: f64 = 365.0;
/// Joules of a kWh.
const KWH: f64 = 3.6e6;

/// Figures by what they are; none where one is missing.
pub(super) type Values<'a> = &'a dyn Fn(What) -> Option<f64>;

/// A quantity that follows from others, or the reason there is none.
pub(super) fn derived(what: What, of: Values<'_>, work: &Workload) -> Result<f64, String> {
    let need = |what: What| of(what).ok_or_else(|| format!("{} is not known", what.words()));
    match what {
        What::TtftMs => ttft(of, work),
        What::BatteryHours => {
            let battery = work.battery_wh.ok_or("workload.battery_wh is not given")?;
            Ok(battery / need(What::Watts)?)
        }
        What::JoulesPerToken => Ok(need(What::Watts)? * seconds_per_token(of, work)?),
        What::Headroom => headroom(of, work),
        What::TotalCost => Ok(bill(of, work)?.total()),
        What::CostPerMillionTokens => {
            let bill = bill(of, work)?;
            Ok(1e6 * bill.total() / (load(work)? * DAYS * work.years))
        }
        _ => Err(format!("{} was not measured", what.words())),
    }
}

/// Prefill of the prompt, then one token.
fn ttft(of: Values<'_>, work: &Workload) -> Result<f64, String> {
    if work.prompt_tokens == 0.0 {
        return Err("ttft was not measured, and workload.prompt_tokens is not given".to_owned());
    }
    match (of(What::PrefillTokensPerSecond), of(What::TokensPerSecond)) {
        (Some(prefill), Some(decode)) => Ok(1e3 * (work.prompt_tokens / prefill + 1.0 / decode)),
        (None, _) => Err("ttft was not measured, and prefill is not known".to_owned()),
        (_, None) => Err("ttft was not measured, and decode is not known".to_owned()),
    }
}

/// Of a generated token, with its share of the prompt.
fn seconds_per_token(of: Values<'_>, work: &Workload) -> Result<f64, String> {
    let decode = of(What::TokensPerSecond).ok_or("decode is not known")?;
    if work.prompt_tokens == 0.0 {
        return Ok(1.0 / decode);
    }
    let prefill = of(What::PrefillTokensPerSecond).ok_or("prefill is not known")?;
    Ok(1.0 / decode + work.prompt_tokens / work.answer_tokens / prefill)
}

fn load(work: &Workload) -> Result<f64, String> {
    work.tokens_per_day.ok_or_else(|| "workload.tokens_per_day is not given".to_owned())
}

/// Seconds of work a day.
fn busy(of: Values<'_>, work: &Workload) -> Result<f64, String> {
    Ok(load(work)? * seconds_per_token(of, work)?)
}

/// Devices that are there, or that the work takes.
pub(super) fn devices(of: Values<'_>, work: &Workload) -> Result<f64, String> {
    let needed = (busy(of, work)? / (work.hours_per_day * 3600.0)).ceil().max(1.0);
    Ok(work.devices.unwrap_or(needed))
}

fn headroom(of: Values<'_>, work: &Workload) -> Result<f64, String> {
    Ok(devices(of, work)? * work.hours_per_day * 3600.0 / busy(of, work)?)
}

/// What it costs, and of what that is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bill {
    /// Devices bought.
    pub(super) devices: f64,
    /// For all of them.
    pub(super) hardware: f64,
    /// Electricity of all the years.
    pub(super) energy: f64,
    days: f64,
}

impl Bill {
    pub(super) fn total(self) -> f64 {
        self.hardware + self.energy
    }
}

/// Hardware once, electricity for all the years: at work, and at rest where that power is known.
pub(super) fn bill(of: Values<'_>, work: &Workload) -> Result<Bill, String> {
    let price = of(What::Price).ok_or("price is not known")?;
    let watts = of(What::Watts).ok_or("power is not known")?;
    let kwh = work.electricity_per_kwh.ok_or("workload.electricity_per_kwh is not given")?;
    let (devices, busy) = (devices(of, work)?, busy(of, work)?);
    let rest = (devices * 86_400.0 - busy).max(0.0);
    let joules = watts * busy + of(What::IdleWatts).unwrap_or(0.0) * rest;
    let days = DAYS * work.years;
    Ok(Bill { devices, hardware: devices * price, energy: days * joules / KWH * kwh, days })
}

/// Days after which what was bought has cost no more than the API: none where it never does.
pub(super) fn break_even(of: Values<'_>, work: &Workload, api: Api) -> Result<Option<f64>, String> {
    let bill = bill(of, work)?;
    let per_day = api_per_day(work, api)?;
    let saved = per_day - bill.energy / bill.days;
    Ok((saved > 0.0).then(|| bill.hardware / saved))
}

/// What the API takes for a day's tokens.
pub(super) fn api_per_day(work: &Workload, api: Api) -> Result<f64, String> {
    let tokens = load(work)?;
    Ok(match api {
        Api::PerRequest(price) => tokens / work.answer_tokens * price,
        Api::PerMillionTokens(price) => tokens / 1e6 * price,
    })
}

/// Over all the years.
pub(super) fn api_total(work: &Workload, api: Api) -> Result<f64, String> {
    Ok(api_per_day(work, api)? * DAYS * work.years)
}

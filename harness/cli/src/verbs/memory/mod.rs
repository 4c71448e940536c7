//! `yardstick memory`: what a model holds on a device, told and seen, what its first token costs, whether requests leave memory
//! behind, and what fits. In this process; nothing is stored.

mod looks;

use std::io::{self, Write};

use anyhow::{Context, Result, ensure};
use yardstick_analyse::memory::LiveMemory;
use yardstick_api::{DeviceClass, DeviceKind, host};
use yardstick_render as render;

use self::looks::Looked;
use crate::args::{Memory, MemoryFormat};
use crate::paths::Paths;
use crate::verbs::DONE;
use crate::verbs::profile::device;
use crate::{console, interrupt, models, output, registry};

/// Share of the free memory that may be taken.
const SAFE: f64 = 0.9;

/// Looks at what was asked for; at everything where nothing was.
pub(crate) fn run(paths: &Paths, args: &Memory) -> Result<u8> {
    paths.spare_the_store(args.output.as_deref())?;
    ensure!(
        args.leak.is_none_or(|requests| requests >= yardstick_analyse::memory::LEAST_REQUESTS),
        "--leak: growth needs {} requests",
        yardstick_analyse::memory::LEAST_REQUESTS
    );
    let live = look(paths, args)?;
    let text = match args.format {
        MemoryFormat::Terminal => {
            console::harmless(&render::memory_terminal(&live, output::width()))
        }
        MemoryFormat::Markdown => render::memory_markdown(&live),
        MemoryFormat::Json => render::memory_json(&live),
    };
    match &args.output {
        Some(path) => output::write(path, &text)?,
        None => io::stdout().lock().write_all(text.as_bytes())?,
    }
    Ok(DONE)
}

fn look(paths: &Paths, args: &Memory) -> Result<LiveMemory> {
    let cancel = interrupt::flag()?;
    let given = |cache| registry::Given {
        cache,
        runtime: None,
        packages: Vec::new(),
        test_doubles: args.test_doubles,
    };
    let keeping = registry::backends(&given(Some(paths.cache.clone())));
    let copying = registry::backends(&given(None));
    let name = args.device.split(':').next();
    let of = |backends: &[Box<dyn yardstick_api::Backend>]| {
        backends.iter().position(|backend| Some(backend.name()) == name)
    };
    let at = of(&keeping).with_context(|| format!("no backend {}", args.device))?;
    let backend = keeping[at].as_ref();
    let device = device(backend.devices(), &args.device)?;
    let on_board = device.kind == DeviceKind::Gpu && device.class == DeviceClass::Hardware;
    let free = if on_board { device.memory_bytes.clone() } else { host::available_memory() };
    let budget = free.map(|free| (free as f64 * SAFE) as u64);
    let path = models::path(paths, &args.model)?;
    let looked = Looked {
        backend,
        copying: copying.get(at).map(AsRef::as_ref),
        device: &device,
        path: &path,
        packed: paths.cache.join("packed"),
        options: args.options()?,
        on_board,
        cancel: &cancel,
    };
    let fits_asked = args.fits || args.check > 0;
    let all = !(fits_asked || args.first_use || args.leak.is_some());
    let (account, model) = looked.account()?;
    let first_use = if all || args.first_use { looked.first_uses()? } else { Vec::new() };
    let requests = args.leak.or(all.then_some(args.requests()));
    let growth = requests.map(|count| looked.growth(&model, count)).transpose()?;
    let fits = match all || fits_asked {
        true => looked.fits(&model, &budget, args.check)?,
        false => Vec::new(),
    };
    Ok(LiveMemory {
        model: args.model.clone(),
        device: device.id.clone(),
        account,
        first_use,
        growth,
        trained_context: model.architecture().context,
        fits,
        budget_bytes: budget,
    })
}

//! Generates tokens with one device and nothing around it: nanoseconds a token, one line a repetition. The bare side of
//! `ci/nightly/ort-driver.sh`; not a benchmark, since nothing is verified here.
//!
//! usage: decode MODEL CACHE PACKAGES DEVICE TOKENS THREADS

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use yardstick_api::{Backend, DeviceStatus, KvType, Options, Sequence};
use yardstick_model::Model;
use yardstick_ort::{Ort, Search, Settings};

const REPETITIONS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, cache, packages, id, tokens, threads] = &arguments[..] else {
        return Err("usage: decode MODEL CACHE PACKAGES DEVICE TOKENS THREADS".into());
    };
    let (tokens, threads): (usize, usize) = (tokens.parse()?, threads.parse()?);
    let search = Search { packages: vec![PathBuf::from(packages)], ..Search::default() };
    let backend =
        Ort::new(Settings { search, cache: Some(PathBuf::from(cache)), ..Settings::default() });
    let status = backend.devices().into_iter().find(|status| status.id() == id);
    let device = match status {
        Some(DeviceStatus::Ready(device)) => device,
        Some(DeviceStatus::Missing { reason, .. }) => return Err(reason.into()),
        None => return Err(format!("there is no device {id}").into()),
    };
    let (context, threads) = (Some(256.max(tokens)), Some(threads));
    let options = Options { kv: KvType::F32, context, threads, ..Options::default() };
    let mut session = backend.load(&device, &Arc::new(Model::open(Path::new(model))?), &options)?;
    for repetition in 0..=REPETITIONS {
        session.truncate(Sequence(0), 0)?;
        let start = Instant::now();
        session.generate(&[(Sequence(0), 1)], tokens, &mut |_, _| ControlFlow::Continue(()))?;
        // The first warms up.
        if repetition > 0 {
            println!("{}", start.elapsed().as_nanos() / tokens as u128);
        }
    }
    Ok(())
}

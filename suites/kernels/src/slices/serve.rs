//! Answering requests, one line each.

use std::fs::{self, File};
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use yardstick_api::slices::{Answer, Request, Sampled, VERSION};
use yardstick_api::{Error, Known};
use yardstick_cpu::bench::{self, Matrix, Slices};

use super::{clock, kernels, publish};
use crate::name::{Name, Shape};

/// The state between requests.
#[derive(Default)]
pub struct Worker {
    ready: Option<Box<dyn Slices>>,
    /// How often it had been interrupted when last asked.
    switches: Option<u64>,
    #[cfg(feature = "inject")]
    inject: Option<super::Inject>,
}

/// Answers until the end of `input` or `stop`.
pub fn serve(
    mut worker: Worker,
    input: impl BufRead,
    mut output: impl Write,
) -> std::io::Result<()> {
    for line in input.lines() {
        let answer = match serde_json::from_str(&line?) {
            Ok(request) => worker.answer(request).unwrap_or_else(|error| fault(&error)),
            Err(error) => fault(&error),
        };
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
        output.flush()?;
        if answer == Answer::Stopped {
            break;
        }
    }
    Ok(())
}

fn fault(error: &dyn std::fmt::Display) -> Answer {
    Answer::Fault { message: error.to_string() }
}

impl Worker {
    /// One that makes kernels slower on purpose.
    #[cfg(feature = "inject")]
    pub fn injecting(inject: super::Inject) -> Worker {
        Worker { inject: Some(inject), ..Worker::default() }
    }

    fn answer(&mut self, request: Request) -> Result<Answer, Error> {
        Ok(match request {
            Request::Hello { slices: VERSION } => Answer::Hello {
                slices: VERSION,
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            Request::Hello { slices } => {
                return Err(Error::Invalid(format!("hello: slices {slices}, expected {VERSION}")));
            }
            Request::List => {
                let names = kernels::list();
                let kernels = names.iter().map(kernels::describe).collect::<Result<_, Error>>()?;
                Answer::Kernels {
                    kernels,
                    anchor: Some(kernels::anchor()),
                    apart: bench::all_entries(),
                }
            }
            Request::Publish { kernel, folder } => {
                Answer::Published { file: written(&named(&kernel)?, &folder)? }
            }
            Request::Prepare { kernel, file } => self.prepare(&kernel, file.as_deref())?,
            Request::Output { file } => self.output(&file)?,
            Request::Sample { slice, calls } => Answer::Sampled(self.sample(slice, calls)?),
            Request::Stop => Answer::Stopped,
        })
    }

    fn prepare(&mut self, kernel: &str, file: Option<&Path>) -> Result<Answer, Error> {
        self.ready = None;
        let name = named(kernel)?;
        let matrix = file.map(mapped).transpose()?;
        let ready = kernels::ready(&name, matrix)?;
        #[cfg(feature = "inject")]
        let ready = match &self.inject {
            Some(inject) => inject.added(ready),
            None => ready,
        };
        self.switches = clock::switches();
        let slices = ready.count();
        self.ready = Some(ready);
        Ok(Answer::Prepared { slices })
    }

    fn ready(&mut self) -> Result<&mut Box<dyn Slices>, Error> {
        let none = || Error::Invalid("no kernel is prepared".to_owned());
        self.ready.as_mut().ok_or_else(none)
    }

    fn output(&mut self, file: &Path) -> Result<Answer, Error> {
        let ready = self.ready()?;
        ready.run(0);
        let values = ready.output();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        fs::write(file, bytes).map_err(|error| told(file, &error))?;
        Ok(Answer::Output { values: values.len() })
    }

    fn sample(&mut self, slice: usize, calls: usize) -> Result<Sampled, Error> {
        let ready = self.ready()?;
        let count = ready.count();
        let cpu = clock::cpu_ns();
        let start = Instant::now();
        for call in 0..calls.max(1) {
            ready.run((slice + call) % count);
        }
        let wall_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let cpu_ns = match (cpu, clock::cpu_ns()) {
            (Known::Value(before), Known::Value(after)) => {
                Known::Value(after.saturating_sub(before))
            }
            (missing, _) => missing,
        };
        let now = clock::switches();
        let switches = now.zip(self.switches).map(|(now, before)| now.saturating_sub(before));
        self.switches = now;
        Ok(Sampled { wall_ns, cpu_ns, switches })
    }
}

fn named(kernel: &str) -> Result<Name, Error> {
    kernel.parse().map_err(|error: crate::NameError| Error::Invalid(error.to_string()))
}

fn told(file: &Path, error: &std::io::Error) -> Error {
    Error::Invalid(format!("{}: {error}", file.display()))
}

fn mapped(file: &Path) -> Result<Matrix, Error> {
    File::open(file).and_then(|open| Matrix::map(&open)).map_err(|error| told(file, &error))
}

/// The shared file of a product's weights.
fn written(name: &Name, folder: &Path) -> Result<Option<std::path::PathBuf>, Error> {
    if !matches!(name.shape, Shape::Product { .. }) {
        return Ok(None);
    }
    let weights = kernels::weights(name)?;
    let file = publish::publish(weights.bytes(), folder);
    file.map(Some).map_err(|error| told(folder, &error))
}

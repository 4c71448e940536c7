//! A slice worker that makes its times up.

use std::io::Write;
use std::process::ExitCode;

use yardstick_api::Known;
use yardstick_api::slices::{Answer, Kernel, Request, Sampled, VERSION};

struct Fake {
    cpu: f64,
    wall: f64,
    wall_only: bool,
    value: f32,
    crash: bool,
    babble: bool,
    kernels: Vec<String>,
    random: u64,
    /// Where it is written how often values were asked for.
    asked: Option<String>,
}

pub(crate) fn be(words: &[String]) -> ExitCode {
    let number = |name: &str| {
        let of = |word: &String| word.strip_prefix(name)?.strip_prefix('=')?.parse::<f64>().ok();
        words.iter().find_map(of).unwrap_or(1.0)
    };
    let has = |name: &str| words.iter().any(|word| word == name);
    let kernels = words.iter().find_map(|word| word.strip_prefix("kernels=")).unwrap_or("one,two");
    let mut fake = Fake {
        cpu: number("cpu"),
        wall: number("wall"),
        wall_only: has("wall-only"),
        value: number("values") as f32,
        crash: has("crash"),
        babble: has("babble"),
        kernels: kernels.split(',').map(str::to_owned).collect(),
        random: u64::from(std::process::id()),
        asked: words.iter().find_map(|word| word.strip_prefix("asked=")).map(str::to_owned),
    };
    for line in std::io::stdin().lines() {
        let request: Request = serde_json::from_str(&line.unwrap()).unwrap();
        let answer = fake.answer(request);
        println!("{}", serde_json::to_string(&answer).unwrap());
        std::io::stdout().flush().unwrap();
    }
    ExitCode::SUCCESS
}

impl Fake {
    fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::Hello { .. } => {
                Answer::Hello { slices: VERSION, name: "fake".to_owned(), version: "1".to_owned() }
            }
            Request::List if self.babble => {
                println!("hello there");
                std::process::exit(0);
            }
            Request::List => {
                let of =
                    |name: &String| Kernel { name: name.clone(), entries: vec![], roots: vec![] };
                Answer::Kernels {
                    kernels: self.kernels.iter().map(of).collect(),
                    anchor: None,
                    apart: vec![],
                }
            }
            Request::Publish { .. } => Answer::Published { file: None },
            Request::Prepare { .. } => Answer::Prepared { slices: 3 },
            Request::Output { file } => {
                let bytes: Vec<u8> =
                    [1.0, self.value].iter().flat_map(|v: &f32| v.to_le_bytes()).collect();
                std::fs::write(file, bytes).unwrap();
                if let Some(asked) = &self.asked {
                    let before = std::fs::read_to_string(asked).unwrap_or_default();
                    std::fs::write(asked, before + "x").unwrap();
                }
                Answer::Output { values: 2 }
            }
            Request::Sample { slice, .. } => {
                assert!(slice < 3);
                if self.crash {
                    eprintln!("crashes on purpose");
                    std::process::exit(9);
                }
                Answer::Sampled(self.sampled())
            }
            Request::Stop => Answer::Stopped,
        }
    }

    fn sampled(&mut self) -> Sampled {
        // Half a percent of noise on a millisecond.
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let noise = 1.0 + ((self.random >> 40) as f64 / (1_u64 << 24) as f64 - 0.5) * 0.01;
        let wall_ns = (1e6 * self.wall * self.cpu.max(1.0) * noise) as u64;
        let cpu_ns = match self.wall_only {
            true => Known::unavailable("made up"),
            false => Known::Value((1e6 * self.cpu * noise) as u64),
        };
        Sampled { wall_ns, cpu_ns, switches: None }
    }
}

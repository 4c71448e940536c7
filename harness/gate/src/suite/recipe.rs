//! How this program is built where a suite is held against it.

use std::path::PathBuf;

use crate::Recipe;

/// Backends that the features of a small build carry.
const SMALL: &[&str] = &["cpu", "reference", "null"];

/// `yardstick` of a revision, with the CPU backend alone where the suite's devices are of no other. The control has a function
/// more (feature `control`), which moves what the linker puts behind it.
pub fn yardstick_recipe(devices: &[String]) -> Recipe {
    let of = |selector: &String| selector.split(':').next().unwrap_or_default().to_owned();
    let small = devices.iter().all(|selector| SMALL.contains(&of(selector).as_str()));
    let mut build = "cargo build --release --locked -p yardstick --bin yardstick".to_owned();
    if small {
        build += " --no-default-features";
    }
    let words = |features: &str| -> Vec<String> {
        let all = format!("{build} {features}");
        all.split_whitespace().map(str::to_owned).collect()
    };
    let (plain, control) = match small {
        true => (words("--features cpu"), words("--features cpu,control")),
        false => (words(""), words("--features control")),
    };
    Recipe {
        build: plain,
        control: Some(control),
        environment: vec![("CARGO_PROFILE_RELEASE_DEBUG".to_owned(), "0".to_owned())],
        program: PathBuf::from(if cfg!(windows) {
            "release/yardstick.exe"
        } else {
            "release/yardstick"
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_suite_does_not_run_on_is_not_built() {
        let of = |devices: &[&str]| {
            let devices: Vec<String> = devices.iter().map(|one| (*one).to_owned()).collect();
            yardstick_recipe(&devices).build.join(" ")
        };
        assert!(of(&["cpu:avx2", "reference"]).ends_with("--no-default-features --features cpu"));
        assert!(of(&["cpu", "wgpu"]).ends_with("--bin yardstick"));
        assert!(of(&["hardware"]).ends_with("--bin yardstick"));
    }
}

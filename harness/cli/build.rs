//! Notes commit, compiler, target and profile, so that records can say what measured them.
use std::process::Command;

fn main() {
    let commit = run("git", &["rev-parse", "HEAD"]).map(|head| {
        let dirty = run("git", &["status", "--porcelain", "--untracked-files=no"]);
        if dirty.is_some_and(|changes| !changes.is_empty()) {
            format!("{head}-dirty")
        } else {
            head
        }
    });
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let compiler = run(&rustc, &["--version"]).unwrap_or_else(|| "unknown rustc".into());
    let of = |name: &str| std::env::var(name).unwrap_or_else(|_| "unknown".into());
    println!("cargo::rustc-env=YARDSTICK_COMMIT={}", commit.unwrap_or_default());
    println!("cargo::rustc-env=YARDSTICK_BUILD={compiler}, {}, {}", of("TARGET"), of("PROFILE"));
    // Without these cargo would rerun the script only when a file of this package changes.
    for path in ["../../.git/HEAD", "../../.git/index", "build.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
}

/// A command's output, if it ran and succeeded: a source archive has no git.
fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

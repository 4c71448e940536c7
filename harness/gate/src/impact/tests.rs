//! Small programs, compiled here, that differ in one thing each.

use std::path::{Path, PathBuf};
use std::process::Command;

use yardstick_api::slices::{Anchor, Kernel};

use super::image::Image;
use super::{Impact, Listed, impact};

/// Two kernels: one reads a table and constants of vectors, may panic, and calls what the other does not.
const SOURCE: &str = r#"
mod kernels {
    static TABLE: [u32; 40] = [3; 40];
    #[inline(never)]
    pub fn one(x: &[f32]) -> f32 {
        let sum: f32 = x.iter().zip(&TABLE).map(|(x, t)| (x * 1.5 + *t as f32).abs()).fold(0.0, f32::max);
        deeper(sum, x[9])
    }
    #[inline(never)]
    fn deeper(a: f32, b: f32) -> f32 {
        if a > b { a.sqrt() } else { b + 0.25 }
    }
    #[inline(never)]
    pub fn two(n: u64) -> &'static str {
        match n { 0 => "none", 1 => "one", 2 => "two", 3 => "three", 7 => "seven", 9 => "nine", _ => "many" }
    }
}
fn main() {
    let x: Vec<f32> = std::env::args().map(|a| a.len() as f32).collect();
    println!("{} {}", kernels::one(&x), kernels::two(x.len() as u64));
}
"#;

fn compiled(folder: &Path, name: &str, source: &str) -> Option<PathBuf> {
    // One name for all: it is part of every symbol's.
    let (file, program) = (folder.join("program.rs"), folder.join(name));
    std::fs::write(&file, source).unwrap();
    let mut rustc = Command::new("rustc");
    rustc.args(["-O", "-Clink-arg=-Wl,--emit-relocs", "--edition", "2024", "-o"]);
    let done = rustc.arg(&program).arg(&file).output().ok()?;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(program)
}

fn listed(program: &Path) -> Listed {
    let image = Image::read(program).unwrap();
    let main = image.functions.iter().find(|function| function.name.contains("7program4main"));
    let address = main.unwrap().address;
    let anchor = Some(Anchor { symbol: "program::main".to_owned(), address });
    let kernel = |name: &str| Kernel {
        name: name.to_owned(),
        entries: vec![],
        roots: vec![format!("kernels::{name}")],
    };
    Listed { kernels: vec![kernel("one"), kernel("two")], anchor, apart: vec![] }
}

fn changed(base: &Path, candidate: &Path) -> Vec<String> {
    let (old, new) = (listed(base), listed(candidate));
    let Impact { same, changed, .. } = impact((base, &old), (candidate, &new)).unwrap();
    assert_eq!(same.len() + changed.len(), 2);
    changed.into_keys().collect()
}

#[test]
fn only_kernels_whose_code_or_data_changed_are_changed() {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        println!("skipped: machine code is told apart on x86-64 Linux only");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(base) = compiled(folder.path(), "base", SOURCE) else {
        println!("skipped: there is no rustc");
        return;
    };
    let cases: [(&str, &str, &[&str]); 8] = [
        ("mod kernels {", "// A line.\n\n// And more.\nmod kernels {", &[]),
        ("println!(\"{} {}\"", "println!(\"longer {} {}\"", &[]),
        ("[3; 40]", "{ let mut t = [3; 40]; t[39] = 4; t }", &["one"]),
        ("x * 1.5", "x * 2.5", &["one"]),
        ("b + 0.25", "b + 0.5", &["one"]),
        ("\"nine\"", "\"NINE\"", &["two"]),
        ("a.sqrt()", "a.sqrt() + 1.0", &["one"]),
        ("7 => \"seven\"", "8 => \"seven\"", &["two"]),
    ];
    for (number, (from, to, expected)) in cases.into_iter().enumerate() {
        assert!(SOURCE.contains(from), "{from}");
        let source = SOURCE.replacen(from, to, 1);
        let candidate = compiled(folder.path(), &format!("candidate-{number}"), &source).unwrap();
        let found = changed(&base, &candidate);
        let all = expected.iter().all(|kernel| found.iter().any(|found| found == kernel));
        assert!(all, "{from} -> {to}: {found:?}");
        // Where one constant ends and the next begins is a guess that errs to the larger: a neighbour may be blamed too.
        assert!(found.is_empty() == expected.is_empty(), "{from} -> {to}: {found:?}");
    }
}

#[test]
fn a_program_without_relocations_is_not_told_apart() {
    let program = std::env::current_exe().unwrap();
    assert!(
        Image::read(&program).is_err_and(|why| why.contains("relocations") || why.contains("ELF"))
    );
    assert!(Image::read(Path::new("/no/such/program")).is_err());
}

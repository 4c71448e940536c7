//! Prints this machine's environment block as JSON.

fn main() {
    let environment = yardstick_probes::environment(&Default::default());
    println!("{}", serde_json::to_string_pretty(&environment).expect("it is plain data"));
}

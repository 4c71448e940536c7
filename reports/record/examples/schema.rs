//! Prints the record's JSON Schema, to be published as `reports/record/record.schema.json`.
fn main() {
    println!("{:#}", yardstick_record::json_schema());
}

//! JSON lines out and in.

use yardstick_record::SCHEMA;

use super::{Folder, interrupted, record};
use crate::Filter;

#[test]
fn what_was_exported_imports_to_the_same_records_once() {
    let (from, to) = (Folder::new(), Folder::new());
    let mut store = from.open();
    let records = [record(0), interrupted(1), record(1)];
    store.append_all(&records).unwrap();
    let everything = Filter { superseded: true, ..Filter::default() };
    let mut lines = Vec::new();
    assert_eq!(store.export(&everything, &mut lines).unwrap().written, 3);
    let text = String::from_utf8(lines).unwrap();
    let expected: String = records.iter().map(|record| record.to_json() + "\n").collect();
    assert_eq!(text, expected);

    let mut other = to.open();
    let imported = other.import(&mut text.as_bytes()).unwrap();
    assert_eq!((imported.new, imported.already, imported.refused), (3, 0, 0));
    let again = other.import(&mut text.as_bytes()).unwrap();
    assert_eq!((again.new, again.already, again.refused), (0, 3, 0));
    let read: Vec<_> = other.records(&everything).map(Result::unwrap).collect();
    assert_eq!(read, records);
    assert_eq!(other.run("r1").unwrap().plan, None, "an imported run has no plan to resume");
}

#[test]
fn bad_lines_are_refused_by_number_and_good_ones_stored() {
    let folder = Folder::new();
    let mut store = folder.open();
    let good = record(0).to_json();
    let changed = good.replace("\"launch\":0", "\"launch\":1");
    let newer = good.replace(&format!("\"schema\":{SCHEMA}"), "\"schema\":99");
    assert_ne!(newer, good);
    let mut input = format!("\n{good}\r\n{changed}\nnot json\n{newer}\n[]\n").into_bytes();
    input.extend(b"\xFF\xFE\n   \n");
    input.extend(record(7).to_json().as_bytes()); // no line end
    let imported = store.import(&mut input.as_slice()).unwrap();
    assert_eq!((imported.new, imported.refused), (2, 5));
    let reasons: Vec<_> = imported.reasons.iter().map(ToString::to_string).collect();
    for (reason, expected) in reasons.iter().zip([
        "line 3: record",
        "line 4: not a record",
        "line 5: record schema 99 is newer",
        "line 6: not a record",
        "line 7: not UTF-8",
    ]) {
        assert!(reason.starts_with(expected), "{reason}");
    }
}

#[test]
fn more_than_a_batch_is_imported_and_half_a_line_is_not() {
    let folder = Folder::new();
    let mut store = folder.open();
    let mut text: String = (0..600).map(|launch| record(launch).to_json() + "\n").collect();
    text.truncate(text.len() - 100);
    let imported = store.import(&mut text.as_bytes()).unwrap();
    assert_eq!((imported.new, imported.refused), (599, 1));
    assert_eq!(imported.reasons[0].line, 600);
}

#[test]
fn nesting_as_deep_as_a_mine_is_refused() {
    let folder = Folder::new();
    let deep = "[".repeat(200_000) + "\n";
    let imported = folder.open().import(&mut deep.as_bytes()).unwrap();
    assert_eq!(imported.refused, 1);
}

#[test]
fn an_export_leaves_out_what_cannot_be_read_and_says_so() {
    let folder = Folder::new();
    let mut store = folder.open();
    store.append_all(&[record(0), record(1)]).unwrap();
    let spoil =
        "DROP TRIGGER records_are_never_edited; UPDATE records SET json = '{' WHERE number = 1";
    store.connection.execute_batch(spoil).unwrap();
    let mut lines = Vec::new();
    let exported = store.export(&Filter::default(), &mut lines).unwrap();
    assert_eq!((exported.written, exported.unreadable.len()), (1, 1));
    assert_eq!(String::from_utf8(lines).unwrap(), record(1).to_json() + "\n");
}

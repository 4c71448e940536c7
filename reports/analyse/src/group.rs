//! Records grouped into rows: launches of the same cell, on the same machine, by the same build.

use std::collections::{BTreeMap, HashSet};

use yardstick_record::Record;

use crate::row::{build, capped, machine, soaked};

/// Records of each cell, by run and launch; a record given twice counts once.
pub(crate) fn by_cell(records: &[Record]) -> Vec<Vec<&Record>> {
    let mut seen = HashSet::new();
    let ids: HashSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let mut place: BTreeMap<String, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<&Record>> = Vec::new();
    for record in records {
        if !record.id.is_empty() && !seen.insert(&record.id) {
            continue;
        }
        // A shared copy beside its original is the same measurement once more.
        if record.shared.as_ref().is_some_and(|shared| ids.contains(shared.original.as_str())) {
            continue;
        }
        let ran_with = record.origin.as_ref().map(|origin| &origin.settings);
        let key = format!(
            "{}|{}|{}|{ran_with:?}|{:?}|{:?}|{:?}",
            record.cell.key(),
            machine(record),
            build(record),
            capped(record),
            soaked(record),
            record.shared.as_ref().map(|shared| shared.profile)
        );
        let index = *place.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[index].push(record);
    }
    for group in &mut groups {
        group.sort_by_key(|record| (&record.run.id, record.launch, &record.id));
    }
    groups
}

//! `export --bundle`: records to share, in one file; every text that leaves this machine is shown before it is written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use yardstick_interchange::bundle::{Contents, Scrub, Unfit, Writer, manifest_of, share};
use yardstick_record::{Profile, Record};
use yardstick_store::{Filter, Store};

use crate::args::BundleProfile;
use crate::console;
use crate::verbs::{DONE, FAILED};

/// Shows what is in it, then writes it, unless it is only to be looked at.
pub(super) fn write(
    store: &Store,
    filters: &[Filter],
    file: &Path,
    profile: BundleProfile,
    is_preview: bool,
) -> Result<u8> {
    let profile = match profile {
        BundleProfile::Public => Profile::Public,
        BundleProfile::Full => Profile::Full,
    };
    let scrub = Scrub::new(&names());
    let tool = format!("yardstick {}", env!("CARGO_PKG_VERSION"));
    let (mut contents, mut left_out) = (Contents::default(), BTreeMap::new());
    let first = shared(store, filters, profile, &scrub, &mut left_out)
        .inspect(|record| record.iter().for_each(|record| contents.add(record)));
    let manifest = manifest_of(first, profile, &tool)?;
    for (reason, count) in &left_out {
        console::tell(format!("left out: {count} records: {reason}"));
    }
    ensure!(manifest.records > 0, "there is no record to share");
    let what = match profile {
        Profile::Public => "without names, paths, addresses, serial numbers and the time of day",
        Profile::Full => "with everything that is in the records: names, paths and commands too",
    };
    let (records, bytes) = (manifest.records, manifest.bytes);
    console::say(format!(
        "{records} records, {bytes} bytes, profile {}, {what}. Every text in it, by field:\n{}",
        profile.name(),
        contents.words().trim_end()
    ))?;
    if is_preview {
        console::say("nothing was written (--preview)")?;
        return Ok(DONE);
    }
    let create = || format!("cannot create {}", file.display());
    let mut out = BufWriter::new(File::create(file).with_context(create)?);
    let mut writer = Writer::new(&mut out, manifest).with_context(create)?;
    for record in shared(store, filters, profile, &scrub, &mut BTreeMap::new()) {
        writer.write(&record?).with_context(|| format!("cannot write {}", file.display()))?;
    }
    writer.finish().with_context(|| format!("cannot write {}", file.display()))?;
    console::say(format!("bundle: {}", file.display()))?;
    let unreadable = left_out.keys().any(|reason| reason.starts_with(UNREADABLE));
    Ok(if unreadable { FAILED } else { DONE })
}

const UNREADABLE: &str = "cannot be read";

/// Records as they are shared; those that are not, counted by their reason.
fn shared<'a>(
    store: &'a Store,
    filters: &'a [Filter],
    profile: Profile,
    scrub: &'a Scrub,
    left_out: &'a mut BTreeMap<String, u64>,
) -> impl Iterator<Item = Result<Record>> + 'a {
    let records = filters.iter().flat_map(|filter| store.records(filter));
    records.filter_map(move |record| {
        let reason = match record {
            Ok(record) => match share(&record, profile, scrub) {
                Ok(shared) => return Some(Ok(shared)),
                Err(reason @ (Unfit::Foreign | Unfit::SecondHand)) => reason.to_string(),
                Err(reason) => return Some(Err(reason.into())),
            },
            Err(error @ yardstick_store::Error::Row { .. }) => format!("{UNREADABLE}: {error}"),
            Err(error) => return Some(Err(error.into())),
        };
        *left_out.entry(reason).or_insert(0) += 1;
        None
    })
}

/// Names of this machine and its user, as the system and its variables tell them.
fn names() -> Vec<String> {
    let variables = ["HOSTNAME", "COMPUTERNAME", "USER", "USERNAME", "LOGNAME", "SUDO_USER"];
    let mut names: Vec<String> =
        variables.iter().filter_map(|name| std::env::var(name).ok()).collect();
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname", "/etc/machine-id"];
    names.extend(files.iter().filter_map(|file| std::fs::read_to_string(file).ok()));
    let homes = ["HOME", "USERPROFILE"].into_iter().filter_map(std::env::var_os);
    names.extend(homes.filter_map(|home| {
        Path::new(&home).file_name().map(|name| name.to_string_lossy().into_owned())
    }));
    names
}

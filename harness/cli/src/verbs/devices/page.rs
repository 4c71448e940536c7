//! The doctor's page: sections of names, words and text that is wrapped to the terminal.

use yardstick_api::{Device, DeviceClass, DeviceStatus, Known};
use yardstick_measure::plan::{Found, Inventory};
use yardstick_probes::{Checkup, ClockCheck, Diagnosis, Gap};

/// A heading and its lines.
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) entries: Vec<Entry>,
}

/// A name, a word about it, and text below each other.
pub(crate) struct Entry {
    pub(crate) name: String,
    /// `ready`, `works`, `missing`; empty where there is nothing to say.
    pub(crate) word: &'static str,
    pub(crate) text: Vec<String>,
}

/// A name longer than this has its text below it.
const LONGEST_NAME: usize = 28;
/// Text is never squeezed below this, however narrow the terminal is.
const NARROWEST: usize = 24;

/// Everything that was found, in the order of its telling.
pub(super) fn sections(
    inventory: &Inventory,
    checkup: &Checkup,
    ceilings: Option<&Section>,
) -> Vec<Section> {
    let section = |title: &str, entries| Section { title: title.to_owned(), entries };
    let mut sections = vec![
        section("Devices", inventory.backends.iter().flat_map(devices).collect()),
        section("Sensors", checkup.sensors.iter().map(sensor).collect()),
        section("Clock", vec![clock(yardstick_probes::clock_check())]),
    ];
    sections.extend(ceilings.map(|ceilings| {
        let entries = ceilings.entries.iter().map(|entry| Entry {
            name: entry.name.clone(),
            word: entry.word,
            text: entry.text.clone(),
        });
        section(&ceilings.title, entries.collect())
    }));
    if !checkup.gaps.is_empty() {
        let title = "What this machine cannot measure, and how to get it";
        sections.push(section(title, checkup.gaps.iter().map(gap).collect()));
    }
    sections
}

/// A backend's devices; those of a build say which. What several are missing for is said once.
fn devices(found: &Found) -> Vec<Entry> {
    let mut told: Vec<(&str, Option<&str>)> = Vec::new();
    let mut entries = Vec::new();
    for status in &found.devices {
        let mut entry = device(status);
        if let DeviceStatus::Missing { reason, fix, .. } = status {
            let why = (reason.as_str(), fix.as_deref());
            if told.contains(&why) {
                continue;
            }
            told.push(why);
            entry.text.extend(others(found, status.id(), why));
        }
        if let (Some(build), Some(text)) = (found.role.build(), entry.text.first_mut()) {
            *text = format!("build {build}: {text}");
        }
        entries.push(entry);
    }
    entries
}

/// The other devices that are missing for the same reason.
fn others(found: &Found, id: &str, why: (&str, Option<&str>)) -> Option<String> {
    let same = found.devices.iter().filter(|status| match status {
        DeviceStatus::Missing { id: other, reason, fix } => {
            other != id && (reason.as_str(), fix.as_deref()) == why
        }
        DeviceStatus::Ready(_) => false,
    });
    let ids: Vec<&str> = same.map(DeviceStatus::id).collect();
    (!ids.is_empty()).then(|| format!("the same holds for {}", ids.join(", ")))
}

fn device(status: &DeviceStatus) -> Entry {
    match status {
        DeviceStatus::Ready(device) => {
            Entry { name: device.id.clone(), word: "ready", text: vec![about(device)] }
        }
        DeviceStatus::Missing { id, reason, fix } => {
            Entry { name: id.clone(), word: "missing", text: with_fix(reason, fix.as_deref()) }
        }
    }
}

fn about(device: &Device) -> String {
    let class = match device.class {
        DeviceClass::Hardware => "",
        DeviceClass::Software => "; software: answers count, speed is not ranked",
        DeviceClass::Emulated => "; emulated: answers count, times mean nothing",
    };
    let best = if device.preferred { " (best of its backend)" } else { "" };
    format!("{}{best}{class}", device.name)
}

/// The clock that samples are timed with.
fn clock(check: &ClockCheck) -> Entry {
    let name = "monotonic".to_owned();
    match check.flaw() {
        None => Entry { name, word: "works", text: vec![check.describe()] },
        Some(flaw) => Entry {
            name,
            word: "fails",
            text: vec![
                format!("{flaw}: nothing is measured with it"),
                "another clock source may be listed in /sys/devices/system/clocksource".to_owned(),
            ],
        },
    }
}

fn sensor(diagnosis: &Diagnosis) -> Entry {
    let name = diagnosis.name.clone();
    match &diagnosis.status {
        Known::Value(words) => Entry { name, word: "works", text: vec![words.clone()] },
        Known::Unavailable { unavailable } => {
            let reason = format!("{}: {unavailable}", diagnosis.measures);
            Entry { name, word: "missing", text: with_fix(&reason, diagnosis.fix.as_deref()) }
        }
    }
}

fn gap(gap: &Gap) -> Entry {
    // Why each does not is said among the sensors.
    let text =
        vec![format!("{} would tell", gap.sensors.join(" or ")), format!("how: {}", gap.how)];
    Entry { name: gap.quantity.clone(), word: "", text }
}

fn with_fix(reason: &str, fix: Option<&str>) -> Vec<String> {
    let fix = fix.map(|fix| format!("fix: {fix}"));
    std::iter::once(reason.to_owned()).chain(fix).collect()
}

/// The page, no line longer than `width` unless a single word is.
pub(super) fn text(sections: &[Section], width: usize) -> String {
    let pages: Vec<String> = sections.iter().map(|section| one(section, width)).collect();
    pages.join("\n\n")
}

fn one(section: &Section, width: usize) -> String {
    let column = |lengths: &mut dyn Iterator<Item = usize>| {
        let longest = lengths.filter(|length| *length <= LONGEST_NAME).max().unwrap_or(0);
        if longest == 0 { 0 } else { longest + 2 }
    };
    let names = column(&mut section.entries.iter().map(|entry| entry.name.chars().count()));
    let words = column(&mut section.entries.iter().map(|entry| entry.word.len()));
    let indent = 2 + names + words;
    let room = width.saturating_sub(indent).max(NARROWEST);
    let mut lines = vec![section.title.clone()];
    for entry in &section.entries {
        let mut head = format!("  {:<names$}{:<words$}", entry.name, entry.word);
        if head.chars().count() > indent {
            lines.push(head.trim_end().to_owned());
            head = String::new();
        }
        for text in entry.text.iter().flat_map(|text| wrapped(text, room)) {
            lines.push(format!("{head:<indent$}{text}").trim_end().to_owned());
            head.clear();
        }
        if !head.is_empty() {
            lines.push(head.trim_end().to_owned());
        }
    }
    lines.join("\n")
}

/// Lines of at most `room` characters, broken at spaces; a word that is longer stays whole.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        let fits = used == 0 || used + 1 + length <= room;
        match lines.last_mut() {
            Some(line) if fits => {
                if used > 0 {
                    line.push(' ');
                    used += 1;
                }
                line.push_str(word);
                used += length;
            }
            _ => {
                lines.push(word.to_owned());
                used = length;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use yardstick_measure::plan::Role;

    use super::*;

    fn checkup() -> Checkup {
        let diagnosis = |name: &str, status, fix: Option<&str>| Diagnosis {
            name: name.into(),
            measures: "energy of processor packages, their cores and memory".into(),
            status,
            fix: fix.map(str::to_owned),
        };
        let path = "/sys/class/powercap/intel-rapl:0/energy_uj may be read by root only";
        let fix = "sudo chmod a+r /sys/class/powercap/*/energy_uj (until the next boot)";
        Checkup {
            sensors: vec![
                diagnosis("rapl", Known::unavailable(path), Some(fix)),
                diagnosis("thermal", Known::Value("x86_pkg_temp 45 °C, ".repeat(12)), None),
            ],
            gaps: vec![Gap {
                quantity: "energy of the processor".into(),
                sensors: vec!["rapl".into()],
                reason: format!("rapl: {path}"),
                how: fix.into(),
            }],
        }
    }

    fn inventory() -> Inventory {
        let missing = |id: &str, fix: Option<&str>| DeviceStatus::Missing {
            id: id.into(),
            reason: "no Vulkan driver was found on this machine, nor any other that wgpu speaks to"
                .into(),
            fix: fix.map(str::to_owned),
        };
        let long = "external:a-name-that-is-longer-than-any-column";
        let devices = vec![
            missing("wgpu:0", Some("apt-get install mesa-vulkan-drivers")),
            missing(long, None),
        ];
        let backend = "wgpu".into();
        let role = Role::Build("base".into());
        let found = Found { backend, devices, worker: 0, role };
        Inventory { backends: vec![found], unasked: vec![] }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_word_is_lost() {
        let narrow = text(&sections(&inventory(), &checkup(), None), 80);
        let wide = text(&sections(&inventory(), &checkup(), None), 200);
        for (page, width) in [(&narrow, 80), (&wide, 200)] {
            let longest = page.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= width, "{longest} > {width}:\n{page}");
        }
        let words = |page: &str| page.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&narrow), words(&wide));
        assert!(wide.lines().count() < narrow.lines().count());
    }

    #[test]
    fn what_several_devices_are_missing_for_is_said_once() {
        let mut inventory = inventory();
        let DeviceStatus::Missing { reason, fix, .. } = inventory.backends[0].devices[0].clone()
        else {
            unreachable!("it is missing")
        };
        for id in ["wgpu:1", "wgpu:2"] {
            let (reason, fix) = (reason.clone(), fix.clone());
            inventory.backends[0].devices.push(DeviceStatus::Missing {
                id: id.into(),
                reason,
                fix,
            });
        }
        let page = text(&sections(&inventory, &checkup(), None), 200);
        assert_eq!(page.matches("apt-get install").count(), 1, "{page}");
        assert!(page.contains("the same holds for wgpu:1, wgpu:2"), "{page}");
    }

    #[test]
    fn a_builds_devices_say_which_build() {
        let page = text(&sections(&inventory(), &checkup(), None), 80);
        assert!(page.contains("wgpu:0  missing  build base: no Vulkan driver"), "{page}");
    }

    #[test]
    fn reasons_hang_below_each_other_and_fixes_stand_alone() {
        let page = text(&sections(&inventory(), &checkup(), None), 80);
        let line = |start: &str| page.lines().find(|line| line.trim_start().starts_with(start));
        assert_eq!(line("fix: apt-get").unwrap().find('f'), Some(19), "{page}");
        assert!(line("external:a-name").unwrap().ends_with("missing"), "{page}");
        assert!(line("how: sudo chmod a+r").is_some(), "{page}");
        let headings: Vec<&str> =
            page.lines().filter(|l| !l.starts_with(' ') && !l.is_empty()).collect();
        assert_eq!(
            headings,
            ["Devices", "Sensors", "Clock", "What this machine cannot measure, and how to get it"]
        );
    }

    #[test]
    fn ceilings_stand_before_what_cannot_be_measured() {
        let entry = Entry { name: "read".into(), word: "", text: vec!["41.2 GB/s".into()] };
        let ceilings = Section { title: "Ceilings".into(), entries: vec![entry] };
        let page = text(&sections(&inventory(), &checkup(), Some(&ceilings)), 80);
        let at = |what: &str| page.find(what).unwrap();
        assert!(at("Sensors") < at("Ceilings\n  read  41.2 GB/s"), "{page}");
        assert!(at("41.2 GB/s") < at("cannot measure"));
    }

    #[test]
    fn a_terminal_without_room_still_shows_everything() {
        let page = text(&sections(&inventory(), &checkup(), None), 0);
        assert!(page.contains("mesa-vulkan-drivers"));
    }
}

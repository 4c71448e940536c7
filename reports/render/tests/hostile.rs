//! Records that attack their reader: markup, scripts, formulas, terminal commands, reversed text, huge names.

#[path = "../../analyse/tests/build/mod.rs"]
mod build;

use build::cell;
use sha2::Digest;
use yardstick_analyse::Comparison;
use yardstick_api::Known;
use yardstick_record::{FailureKind, Outcome, Record, Verification};
use yardstick_render::{Meta, SCRIPT, SCRIPT_HASH, csv, html, json, markdown, terminal};

/// Strings planted wherever a record holds text, and what none of the formats may show of them.
const HOSTILE: [&str; 13] = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "\"><svg onload=alert(1)>",
    "</style><script>alert(2)</script>",
    "]]></title><script>alert(3)</script>",
    "javascript:alert(1)",
    "{{7*7}}{% raw %}",
    "line\u{2028}separator",
    "evil\u{202E}gnp.exe",
    "=cmd|'/c calc'!A0",
    "\x1b]8;;http://example.com\x07click\x1b]8;;\x07\x1b[2J",
    "a|b`c`[d](http://example.com)\n\n# heading",
    "\t@SUM(1,2)\r\n+1",
];

fn planted(text: &str) -> Vec<Record> {
    let fields = |record: &mut Record| {
        record.cell.device = format!("cpu:{text}");
        record.cell.model.name = text.to_owned();
        record.cell.model.sha256 = Known::Value(text.to_owned());
        record.cell.model.architecture = Known::Value(text.to_owned());
        record.cell.model.random_weights = Some(text.to_owned());
        record.run.suite = text.to_owned();
        record.run.id = text.to_owned();
        record.run.command = vec![text.to_owned(), text.to_owned()];
        record.rerun = text.to_owned();
        record.tool.version = text.to_owned();
        record.tool.commit = Known::Value(text.to_owned());
        record.environment.set("cpu.model", text);
        record.environment.set(text, vec![text]);
        record.environment.missing(&format!("{text}2"), text);
        record.ceiling = Known::unavailable(text);
        if let Known::Value(device) = &mut record.device {
            device.name = text.to_owned();
        }
        if let Known::Value(facts) = &mut record.facts {
            facts.device = text.to_owned();
            facts.isa = Known::Value(text.to_owned());
            facts.kernels.insert(text.to_owned(), text.to_owned());
            facts.threads = Known::unavailable(text);
        }
    };
    let failed = Outcome::Failed { kind: FailureKind::Backend, message: text.to_owned() };
    vec![
        cell("x", "m", "tg8").speed(9.0, 6).with(fields).with(mark(text)).done(),
        cell("x", "m", "pp8").speed(9.0, 6).with(fields).with(unverified(text)).done(),
        cell("x", "m", "tg16").with(fields).ended(failed).done(),
        cell("x", "m", "load").with(fields).skipped(text, Some(text)).done(),
        cell("x", "m", "ttft")
            .with(fields)
            .ended(Outcome::Invalid { reason: text.to_owned() })
            .done(),
    ]
}

fn mark(text: &str) -> impl FnOnce(&mut Record) + use<> {
    let text = text.to_owned();
    move |record| record.samples[0].marks.push(text)
}

fn unverified(text: &str) -> impl FnOnce(&mut Record) + use<> {
    let text = text.to_owned();
    move |record| record.verification = Verification::skipped(text)
}

fn page(records: &[Record], title: &str) -> String {
    let meta = Meta { title: title.into(), generated: title.into(), tool: title.into() };
    without_script(&html(&Comparison::of(records), records, &meta))
}

/// A page without its own script, which is there once: any other is the attacker's.
fn without_script(page: &str) -> String {
    let own = format!("<script>{SCRIPT}</script>");
    assert_eq!(page.matches(&own).count(), 1);
    page.replace(&own, "")
}

/// Characters that steer a terminal or reorder text.
fn steers(c: char) -> bool {
    (c.is_control() && c != '\n') || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Every tag of a page; a `<` that starts none is a bug of ours.
fn tags(page: &str) -> Vec<&str> {
    page.split('<').skip(1).map(|rest| rest.split([' ', '>', '\n']).next().unwrap_or("")).collect()
}

#[test]
fn the_page_has_no_element_and_no_attribute_of_the_attacker() {
    let harmless = page(&planted("harmless"), "harmless");
    let known: std::collections::BTreeSet<&str> = tags(&harmless).into_iter().collect();
    for text in HOSTILE {
        let page = page(&planted(text), text);
        // To look at: the last one stays.
        let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/hostile.html");
        std::fs::write(path, &page).expect("the target folder takes files");
        for tag in tags(&page) {
            assert!(known.contains(tag), "{text:?} made <{tag}");
        }
        for bad in
            ["<script", "<img", " onerror=alert(1)>", " onload=alert(1)>", "href=\"javascript"]
        {
            assert!(!page.to_lowercase().contains(bad), "{text:?} gave {bad}");
        }
        assert!(!page.contains("49</") && !page.contains(">49"), "{text:?} was computed");
        assert!(!page.chars().any(steers), "{text:?} steers");
        assert_eq!(page.matches("</style>").count(), 1, "{text:?} left the style");
        assert_eq!(page.matches("</title>").count(), harmless.matches("</title>").count());
    }
}

#[test]
fn the_page_asks_nothing_of_anyone() {
    let page = page(&planted("x"), "x");
    for fetch in [
        "http://",
        "https://",
        "src=",
        "@import",
        "url(",
        "<script",
        "<iframe",
        "<link rel=\"stylesheet",
    ] {
        // The name of SVG's vocabulary is not an address anyone visits.
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(fetch), "{fetch}");
    }
    let policy = format!(
        "default-src 'none'; script-src '{SCRIPT_HASH}'; style-src 'unsafe-inline'; img-src data:"
    );
    assert!(page.contains(&policy));
    for asks in ["fetch", "XMLHttpRequest", "innerHTML", "import", "eval", "document.write", "http"]
    {
        assert!(!SCRIPT.contains(asks), "{asks}");
    }
    assert!(!page.contains("base64"), "the font must not be in the page");
}

#[test]
fn the_terminal_gets_no_commands_and_keeps_its_width() {
    for text in HOSTILE {
        for width in [40, 80, 200] {
            let shown = terminal(&Comparison::of(&planted(text)), width, false);
            assert!(!shown.chars().any(steers), "{text:?}: {shown:?}");
            let widest = shown.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest <= width, "{text:?}: {widest} of {width}\n{shown}");
        }
    }
}

/// Devices, builds and machines of hostile names that are held against each other.
fn rivals(text: &str) -> Vec<Record> {
    let rival = |device: &str, speed: f64, launch: u32| {
        let (device, text) = (format!("{device}{text}"), text.to_owned());
        cell(&device, "m", "tg8").launch(launch).speed(speed, 6).with(move |record| {
            record.cell.model.name = text.clone();
            record.cell.build = Some(text.clone());
            record.environment.set("cpu.model", text);
        })
    };
    let of = |device: &'static str, speed| (0..5).map(move |l| rival(device, speed, l).done());
    of("a", 50.0).chain(of("b", 70.0)).collect()
}

#[test]
fn ratios_of_hostile_names_steer_nothing_and_keep_their_width() {
    for text in HOSTILE {
        let records = rivals(text);
        let comparison = Comparison::of(&records);
        assert_eq!(comparison.ratios().count(), 1, "{text:?}");
        for width in [40, 80, 200] {
            let shown = terminal(&comparison, width, false);
            let widest = shown.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest <= width, "{text:?}: {widest} of {width}\n{shown}");
        }
        for shown in [terminal(&comparison, 80, false), markdown(&comparison), page(&records, text)]
        {
            assert!(!shown.chars().any(steers), "{text:?}: {shown:?}");
        }
        for shown in [markdown(&comparison), page(&records, text)] {
            assert!(!shown.contains("<img") && !shown.contains("<script"), "{text:?}: {shown}");
        }
    }
}

#[test]
fn no_spreadsheet_takes_a_field_for_a_formula() {
    for text in HOSTILE {
        let lines = csv(&Comparison::of(&planted(text)));
        assert!(!lines.chars().any(|c| steers(c) && c != '\r'), "{text:?}");
        let mut reader = csv::ReaderBuilder::new().has_headers(true).from_reader(lines.as_bytes());
        let columns = reader.headers().unwrap().len();
        let mut seen = 0;
        for line in reader.records() {
            let line = line.unwrap();
            assert_eq!(line.len(), columns);
            for field in line.iter().filter(|field| field.parse::<f64>().is_err()) {
                let first = field.trim_start().chars().next();
                assert!(!matches!(first, Some('=' | '+' | '-' | '@')), "{text:?} gave {field:?}");
            }
            seen += 1;
        }
        assert_eq!(seen, 5);
    }
}

#[test]
fn markdown_keeps_its_shape() {
    for text in HOSTILE {
        let shown = markdown(&Comparison::of(&planted(text)));
        let columns = |line: &str| line.replace("\\|", "").matches('|').count();
        let table: Vec<&str> = shown.lines().take_while(|line| line.starts_with('|')).collect();
        assert_eq!(table.len(), 7, "{text:?}\n{shown}");
        assert!(table.iter().all(|line| columns(line) == columns(table[0])), "{text:?}\n{shown}");
        for bad in ["<img", "<script", "<svg", "](http", "\n# "] {
            assert!(!shown.replace("\\]", "").contains(bad), "{text:?} gave {bad}\n{shown}");
        }
        assert!(!shown.chars().any(steers), "{text:?}");
    }
}

#[test]
fn json_gives_every_text_back_and_steers_nothing() {
    for text in HOSTILE {
        let shown = json(&Comparison::of(&planted(text)));
        assert!(!shown.chars().any(steers), "{text:?}");
        let value: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(value["rows"][0]["model"]["name"], text);
    }
}

#[test]
fn names_of_ten_thousand_characters_are_cut_where_people_read() {
    let long = "x".repeat(10_000);
    let records = planted(&long);
    let comparison = Comparison::of(&records);
    let page = page(&records, &long);
    assert!(!page.contains(&"x".repeat(700)), "a name was printed whole");
    assert!(page.len() < 120_000, "{}", page.len());
    assert!(terminal(&comparison, 80, true).len() < 20_000);
    assert!(markdown(&comparison).len() < 20_000);
    assert!(csv(&comparison).contains(&long) && json(&comparison).contains(&long));
}

#[test]
fn numbers_that_are_none_break_nothing() {
    let broken =
        |change: fn(&mut Record)| cell("cpu:a", "m", "tg8").speed(9.0, 6).with(change).done();
    let records = [
        broken(|r| r.samples.iter_mut().for_each(|s| s.nanoseconds = 0)),
        broken(|r| r.samples.iter_mut().for_each(|s| s.nanoseconds = u64::MAX)),
        broken(|r| r.samples.iter_mut().for_each(|s| s.tokens = u64::MAX)),
        broken(|r| r.samples.iter_mut().for_each(|s| s.emits_ns = vec![u64::MAX, 0, u64::MAX])),
        broken(|r| r.samples.clear()),
        broken(|r| r.readings[0].value = Known::Value(f64::NAN)),
        broken(|r| r.readings[0].value = Known::Value(-1e300)),
        broken(|r| {
            if let Known::Value(ceiling) = &mut r.ceiling {
                ceiling.bytes_per_second = 0.0;
            }
        }),
        broken(|r| {
            if let Known::Value(facts) = &mut r.facts {
                (facts.context, facts.sequences, facts.streamed_bytes) = (0, 0, 0);
            }
        }),
    ];
    for record in &records {
        let one = std::slice::from_ref(record);
        let comparison = Comparison::of(one);
        assert_eq!(comparison.rows.len(), 1);
        let all = [
            page(one, "t"),
            terminal(&comparison, 80, true),
            markdown(&comparison),
            csv(&comparison),
        ];
        for text in all {
            assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
        }
        serde_json::from_str::<serde_json::Value>(&json(&comparison)).unwrap();
    }
    page(&records, "all at once");
}

#[test]
fn the_policy_names_the_script_that_is_in_the_page() {
    let hash = sha2::Sha256::digest(SCRIPT.as_bytes());
    assert_eq!(SCRIPT_HASH, format!("sha256-{}", base64(&hash)), "set SCRIPT_HASH to this");
    assert!(!SCRIPT.contains("</"), "it would end the element it stands in");
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits = three.iter().fold(0_u32, |bits, &b| bits << 8 | u32::from(b))
            << (8 * (3 - three.len()));
        let letter = |i: usize| char::from(LETTERS[(bits >> (18 - 6 * i) & 63) as usize]);
        (0..4).map(|i| if i <= three.len() { letter(i) } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

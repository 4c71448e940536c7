//! Records that attack their reader, through every page.

use std::collections::BTreeSet;

use yardstick_record::{FailureKind, Outcome, Record};

use crate::build::cell;
use crate::client::Served;

/// As in reports/render/tests/hostile.rs.
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
    "a|b`c`[d](http://example.com)\r\nSet-Cookie: x=1\r\n\r\n<h1>",
    "../../etc/passwd",
];

fn planted(text: &str, run: &str) -> Vec<Record> {
    let fields = |record: &mut Record| {
        record.cell.device = format!("cpu:{text}");
        record.cell.model.name = text.to_owned();
        record.cell.build = Some(text.to_owned());
        record.run.suite = text.to_owned();
        record.run.id = format!("{run}{text}");
        record.run.command = vec![text.to_owned()];
        record.run.started = text.to_owned();
        record.started = text.to_owned();
        record.tool.version = text.to_owned();
        record.environment.set("cpu.model", text);
    };
    let failed = Outcome::Failed { kind: FailureKind::Backend, message: text.to_owned() };
    vec![
        cell("x", "m", "tg8").speed(9.0, 6).with(fields).done(),
        cell("x", "m", "pp8").with(fields).ended(failed).done(),
    ]
}

fn steers(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200B}')
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn tags(page: &str) -> BTreeSet<&str> {
    page.split('<').skip(1).map(|rest| rest.split([' ', '>', '\n']).next().unwrap_or("")).collect()
}

/// Every page that shows something of these records.
fn pages(served: &Served, text: &str) -> Vec<String> {
    let (a, b) = (encoded(&format!("a{text}")), encoded(&format!("b{text}")));
    [
        "/".to_owned(),
        "/trends".to_owned(),
        format!("/trends?q={}", encoded(text)),
        "/trend?cell=1".to_owned(),
        "/compare".to_owned(),
        format!("/compare?a={a}"),
        format!("/compare?a={a}&b={b}"),
        format!("/compare?a={a}&b=device:{}", encoded(&format!("cpu:{text}"))),
        format!("/run?id={a}"),
        format!("/report?run={a}"),
        format!("/run?id={}", encoded(&format!("none{text}"))),
        format!("/?{}=1", encoded(text)),
    ]
    .iter()
    .map(|target| {
        let answer = served.get(target);
        assert!(answer.header("content-type").starts_with("text/html"), "{target}");
        assert_eq!(answer.header("set-cookie"), "");
        assert!(answer.status < 500, "{target}: {}", answer.body);
        // Reports bring a script of ours along, which their policy names by its hash.
        answer.body.replace(&format!("<script>{}</script>", yardstick_render::SCRIPT), "")
    })
    .collect()
}

#[test]
fn no_page_has_an_element_or_attribute_of_the_attacker() {
    let both = |text: &str| [planted(text, "a"), planted(text, "b")].concat();
    let harmless = pages(&Served::new(&both("harmless")), "harmless").join("");
    let mut known = tags(&harmless);
    // Footnotes, and comments of the template's own, stand where there is something to say.
    known.extend(["ol", "/ol", "li", "/li", "sup>", "sup", "/sup", "ul", "/ul"]);
    for text in HOSTILE {
        let served = Served::new(&both(text));
        if text.contains("7*7") {
            let trend = served.get("/trend?cell=1").body;
            assert!(trend.contains("{{7*7}}"), "it was computed: {trend}");
        }
        for page in pages(&served, text) {
            for tag in tags(&page) {
                assert!(known.contains(tag), "{text:?} made <{tag}:\n{page}");
            }
            for bad in
                ["<img", "<script>", "onerror=alert(1)>", " onload=alert(1)>", "href=\"javascript"]
            {
                assert!(!page.contains(bad), "{text:?} gave {bad}");
            }
            let at =
                page.find(steers).map(|at| page[..at].chars().rev().take(200).collect::<Vec<_>>());
            assert!(
                at.is_none(),
                "{text:?} steers after {:?}",
                at.map(|c| c.into_iter().rev().collect::<String>())
            );
        }
        for target in
            ["/api/runs", "/api/cells", "/api/trend?cell=1", "/metrics", "/api/records?run="]
        {
            let target = match target.ends_with('=') {
                true => format!("{target}{}", encoded(&format!("a{text}"))),
                false => target.to_owned(),
            };
            let answer = served.get(&target);
            assert_eq!(answer.status, 200, "{target} {text:?}: {}", answer.body);
            assert!(!answer.header("content-type").contains("html"));
            assert!(!answer.body.chars().any(steers), "{target} {text:?}");
        }
    }
}

//! `yardstick claims`: what articles say, held against what is here; one block, or one line of a table, a claim.

use std::io::{self, Write};

use anyhow::{Context, Result};
use yardstick_analyse::{Comparison, Row};
use yardstick_measure::claims::{Claims, Evidence, Finding, Verdict};
use yardstick_record::Metric;

use crate::args::{self, ClaimsFormat};
use crate::paths::Paths;
use crate::verbs::DONE;
use crate::{console, output};

/// Files longer than this are no claims.
const MOST_BYTES: u64 = 4 << 20;

/// Tests every claim and shows what was found. A claim that is not true here is a finding, not an error.
pub(crate) fn run(paths: Option<&Paths>, args: &args::Claims) -> Result<u8> {
    let claims = match &args.file {
        None => Claims::built_in()?,
        Some(path) => {
            let name = path.display().to_string();
            let length = std::fs::metadata(path).with_context(|| name.clone())?.len();
            anyhow::ensure!(
                length <= MOST_BYTES,
                "{name}: {length} bytes, expected a file of claims"
            );
            Claims::parse(&name, &std::fs::read_to_string(path).with_context(|| name.clone())?)?
        }
    };
    let evidence = paths.map_or_else(|| Ok(Vec::new()), evidence)?;
    let findings = claims.find(paths.map(Paths::models).as_deref(), &evidence);
    let text = match args.format {
        ClaimsFormat::Terminal => terminal(&claims, &findings, output::width()),
        ClaimsFormat::Markdown => markdown(&claims, &findings),
        ClaimsFormat::Json => format!(
            "{:#}\n",
            serde_json::json!({
                "name": claims.name, "analysis": claims.analysis, "claims": findings,
            })
        ),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(DONE)
}

/// Every metric of every cell in the store that counts: measured, verified, ranked.
fn evidence(paths: &Paths) -> Result<Vec<Evidence>> {
    if !paths.store.exists() {
        return Ok(Vec::new());
    }
    let records = output::records(&output::open(&paths.store)?, &[])?;
    let comparison = Comparison::of(&records);
    let rows = comparison.rows.iter().filter(|row| row.not_ranked.is_none());
    Ok(rows.flat_map(|row| of_row(&comparison, row)).collect())
}

fn of_row(comparison: &Comparison, row: &Row) -> Vec<Evidence> {
    let settings = comparison.varying.iter().filter_map(|name| row.settings.get(name));
    let device = std::iter::once(row.member()).chain(settings.cloned());
    let device = device.collect::<Vec<_>>().join(", ");
    let estimates = row.metrics.iter().filter_map(|(metric, known)| Some((metric, known.value()?)));
    estimates
        .map(|(metric, estimate)| Evidence {
            device: device.clone(),
            model: row.model.clone(),
            test: row.cell.test.to_string(),
            metric: metric.name().to_owned(),
            value: estimate.median,
            bounds: estimate.interval.value().map(|interval| (interval.low, interval.high)),
            quality: (*metric == Metric::Perplexity).then(|| row.quality.clone()).flatten(),
        })
        .collect()
}

fn terminal(claims: &Claims, findings: &[Finding], width: usize) -> String {
    let mut text = String::new();
    let mut part = |head: &str, words: &str| {
        text += &format!("{}\n", wrapped(head, words, width).join("\n"));
    };
    part("", &claims.analysis);
    for (i, finding) in findings.iter().enumerate() {
        let claim = &finding.claim;
        part("", "");
        part(&format!("{}. ", i + 1), &claim.claim);
        part("   source    ", &format!("\"{}\" ({})", claim.sentence, claim.source));
        part("   tested by ", &finding.how);
        for (i, line) in finding.measured.iter().enumerate() {
            part(if i == 0 { "   measured  " } else { "             " }, line);
        }
        part("   verdict   ", &finding.verdict.words());
    }
    part("", "");
    part("", &sum(findings));
    console::harmless(&text)
}

fn markdown(claims: &Claims, findings: &[Finding]) -> String {
    let cell = |text: &str| console::harmless(text).replace('|', "\\|").replace('\n', " ");
    let mut text = format!("{}\n\n", console::harmless(&words(&claims.analysis)));
    text +=
        "| claim | source | tested by | measured | verdict |\n| --- | --- | --- | --- | --- |\n";
    for finding in findings {
        let claim = &finding.claim;
        let measured: Vec<String> = finding.measured.iter().map(|line| cell(line)).collect();
        text += &format!(
            "| {} | “{}” {} | {} | {} | {} |\n",
            cell(&claim.claim),
            cell(&claim.sentence),
            cell(&claim.source),
            cell(&finding.how),
            measured.join("<br>"),
            cell(&finding.verdict.words())
        );
    }
    text + &format!("\n{}\n", sum(findings))
}

/// `6 claims: 2 true, 4 not here, 0 not decided, 0 cannot be tested`
fn sum(findings: &[Finding]) -> String {
    let of = |is: fn(&Verdict) -> bool| findings.iter().filter(|f| is(&f.verdict)).count();
    format!(
        "{} claims: {} true, {} not here, {} not decided, {} cannot be tested",
        findings.len(),
        of(|v| *v == Verdict::True),
        of(|v| matches!(v, Verdict::NotHere(_))),
        of(|v| matches!(v, Verdict::NotDecided(_))),
        of(|v| matches!(v, Verdict::CannotBeTested(_)))
    )
}

/// One line.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lines of at most `width` characters; what follows `head`, and every further line, begins where it ends. Longer words stand alone.
fn wrapped(head: &str, text: &str, width: usize) -> Vec<String> {
    let indent = head.chars().count();
    let (mut lines, mut used) = (vec![head.to_owned()], indent);
    for word in text.split_whitespace() {
        let long = word.chars().count();
        if used > indent && used + 1 + long > width {
            lines.push(" ".repeat(indent));
            used = indent;
        }
        if let Some(line) = lines.last_mut() {
            if used > indent {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += long;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_titles_and_their_width() {
        let text = "one two three four five six";
        assert_eq!(
            wrapped("   measured  ", text, 24),
            ["   measured  one two", "             three four", "             five six"]
        );
        assert_eq!(wrapped("", "a b c", 3), ["a b", "c"]);
        assert_eq!(wrapped("1. ", "a b c d", 6), ["1. a b", "   c d"]);
        assert_eq!(wrapped("", "", 10), [""]);
    }

    #[test]
    fn the_page_fits_its_width_and_the_table_has_a_row_a_claim() {
        let claims = Claims::built_in().unwrap();
        let findings = claims.find(None, &[]);
        for width in [80, 200] {
            let text = terminal(&claims, &findings, width);
            let fits = |line: &&str| line.chars().count() <= width || line.contains("https://");
            assert!(text.lines().all(|line| fits(&line)), "{text}");
        }
        let rows = markdown(&claims, &findings).lines().filter(|l| l.starts_with("| ")).count();
        assert_eq!(rows, findings.len() + 2);
    }
}

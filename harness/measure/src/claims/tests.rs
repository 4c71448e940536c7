//! Claims: verdicts follow from the numbers, and files that cannot be used say where.

use super::*;

const HEAD: &str = "name = \"x\"\nanalysis = \"y\"\n[[claim]]\nid = \"a\"\nclaim = \"c\"\nsentence = \"s\"\nsource = \"o\"\n";

fn one(test: &str) -> Finding {
    let claims = Claims::parse("x.toml", &format!("{HEAD}{test}")).unwrap();
    claims.find(None, &[]).remove(0)
}

#[test]
fn the_built_in_claims_have_a_source_each_and_a_verdict_from_files() {
    let claims = Claims::built_in().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let findings = claims.find(Some(folder.path()), &[]);
    assert_eq!(findings.len(), claims.claims.len());
    for finding in &findings {
        assert!(finding.claim.source.contains("https://"), "{finding:?}");
        match &finding.verdict {
            Verdict::CannotBeTested(why) => assert!(why.contains("`yardstick run "), "{finding:?}"),
            _ => assert!(!finding.measured.is_empty(), "{finding:?}"),
        }
    }
    let verdict = |id: &str| &findings.iter().find(|f| f.claim.id == id).unwrap().verdict;
    assert_eq!(*verdict("16-bit-half"), Verdict::True);
    // 34 bytes for 32 weights, and a file's wider tensors.
    assert!(verdict("8-bit-quarter").words().starts_with("not here: "), "{findings:#?}");
    assert!(verdict("4-bit-eighth").words().starts_with("not here: "));
    let (fits, does_not) = (verdict("7b-in-4-gb"), verdict("7b-not-in-4-gb"));
    assert_ne!(*fits == Verdict::True, *does_not == Verdict::True, "they say the opposite");
}

#[test]
fn the_numbers_decide() {
    let share = |percent: &str, margin: &str| {
        one(&format!(
            "[claim.share]\nquantisations = [\"Q8_0\"]\nof = \"F32\"\npercent = {percent}\nmargin = {margin}\nmodels = [\"smollm-135m\"]\n"
        ))
    };
    // 8.5 of 32 bits are 26.56 %.
    assert_eq!(share("26.6", "1.0").verdict, Verdict::True);
    let Verdict::NotHere(why) = share("25.0", "1.0").verdict else { panic!() };
    assert!(why.contains("2 of 2 do not, the farthest 26.5"), "{why}");
    assert!(share("26.6", "1.0").measured[0].contains("8.5 bits a weight of 32, 26.56 %"));
    let fits = |gigabytes: &str, expected: bool| {
        one(&format!(
            "[claim.fits]\nquantisations = [\"Q4_0\"]\nmodels = [\"mistral-7b\"]\ngigabytes = {gigabytes}\ncontext = 2048\nkv = \"f16\"\nexpected = {expected}\n"
        ))
    };
    // 32 layers, 8 heads of 128 + 128, 2 bytes: 128 KiB a position.
    let finding = fits("4.0", true);
    assert!(finding.measured[0].contains("keys and values 0.268 GB"), "{finding:?}");
    assert!(matches!(finding.verdict, Verdict::NotHere(_)));
    assert_eq!(fits("5.0", true).verdict, Verdict::True);
    assert_eq!(fits("4.0", false).verdict, Verdict::True);
    let cannot = one("[claim.cannot]\nbecause = \"there is no NPU\"\n");
    assert_eq!(cannot.verdict.words(), "cannot be tested: there is no NPU");
}

#[test]
fn files_that_are_written_are_held_against_the_plan() {
    use std::ops::ControlFlow;
    use yardstick_model::preset::{Check, PresetRef, make};
    let folder = tempfile::tempdir().unwrap();
    let preset = PresetRef::parse("tiny:Q4_0").unwrap();
    let go = &mut |_| ControlFlow::Continue(());
    let made = make(&preset, folder.path(), 1, Check::Size, go).unwrap();
    let text = format!(
        "{HEAD}[claim.size]\nquantisations = [\"Q4_0\"]\nmodels = [\"tiny\"]\ngigabytes = 0.001\nmargin = 50.0\n"
    );
    let claims = Claims::parse("x", &text).unwrap();
    let found = |claims: &Claims| claims.find(Some(folder.path()), &[]).remove(0);
    assert!(
        found(&claims).how.contains("1 of the 1 files are written here"),
        "{:?}",
        found(&claims)
    );
    assert_eq!(found(&claims).verdict, Verdict::True);
    std::fs::write(&made.path, "short").unwrap();
    let words = found(&claims).verdict.words();
    assert!(words.contains("cannot be tested: tiny:Q4_0: the file written has 5 bytes"), "{words}");
}

#[test]
fn a_file_that_cannot_be_used_says_where_and_why() {
    let fits = "[claim.fits]\nquantisations = [\"Q4_0\"]\nmodels = [\"tiny\"]\ngigabytes = 1.0\ncontext = 8\nkv = \"f16\"\nexpected = true\n";
    for (text, words) in [
        ("".to_owned(), "missing field `name`"),
        (HEAD.to_owned(), "found 0 tests, expected one of [claim.share]"),
        (format!("{HEAD}{fits}[claim.cannot]\nbecause = \"x\"\n"), "found 2 tests"),
        (format!("{HEAD}{}", fits.replace("tiny", "tny")), "did you mean tiny"),
        (format!("{HEAD}{}", fits.replace("Q4_0", "Q9")), "unknown quantisation"),
        (format!("{HEAD}{}", fits.replace("1.0", "-1.0")), "gigabytes: found -1"),
        (format!("{HEAD}{}", fits.replace("context", "contxt")), "unknown field `contxt`"),
        (format!("{HEAD}{fits}{}{fits}", &HEAD[HEAD.find("[[").unwrap()..]), "id \"a\" twice"),
        (format!("{HEAD}{fits}").replace("\"s\"", "\"\""), "sentence: expected text"),
    ] {
        let error = Claims::parse("x.toml", &text).unwrap_err().to_string();
        assert!(error.starts_with("x.toml:") && error.contains(words), "{text}\n{error}");
    }
}

/// What a device measured of a model by `tg64`, in tokens/s.
fn speed(device: &str, model: &str, value: f64, bounds: Option<(f64, f64)>) -> Evidence {
    Evidence {
        device: device.to_owned(),
        model: model.to_owned(),
        test: "tg64".to_owned(),
        metric: "tokens_per_second".to_owned(),
        value,
        bounds,
        quality: None,
    }
}

fn faster(keys: &str, evidence: &[Evidence]) -> Finding {
    let test = format!(
        "{HEAD}[claim.measured]\nmodels = [\"tiny:Q4_0\"]\ntest = \"tg64\"\nmetric = \"tokens_per_second\"\n{keys}"
    );
    Claims::parse("x.toml", &test).unwrap().find(None, evidence).remove(0)
}

#[test]
fn a_ratio_is_true_only_where_all_of_its_bounds_keep_it() {
    let f16 = speed("cpu", "tiny:F16", 10.0, Some((9.0, 11.0)));
    let against = |value: f64, low: f64, high: f64| {
        let q4 = speed("cpu", "tiny:Q4_0", value, Some((low, high)));
        faster("against = \"tiny:F16\"\nis = \"at_least\"\nnumber = 2.0\n", &[q4, f16.clone()])
    };
    // Worst case of the bounds: 27 / 11 = 2.45, 20 / 11 = 1.82, 17 / 9 = 1.89.
    assert_eq!(against(30.0, 27.0, 33.0).verdict, Verdict::True);
    let open = against(25.0, 20.0, 30.0).verdict.words();
    assert!(open.starts_with("not decided: 1 of 1 may or may not, 2.50× [1.82, 3.33]"), "{open}");
    let not = against(15.0, 13.0, 17.0).verdict.words();
    assert!(not.starts_with("not here: 1 of 1 do not, 1.50× [1.18, 1.89] on cpu"), "{not}");
}

#[test]
fn a_value_is_held_on_every_device_and_one_that_breaks_it_decides() {
    let both = [
        speed("cpu", "tiny:Q4_0", 50.0, Some((45.0, 55.0))),
        speed("candle", "tiny:Q4_0", 20.0, Some((18.0, 22.0))),
    ];
    let at_least = "is = \"at_least\"\nnumber = 40.0\n";
    let found = faster(at_least, &both);
    assert_eq!(found.measured.len(), 2);
    assert!(found.verdict.words().contains("1 of 2 do not, 20.0 [18.0, 22.0] on candle"));
    assert_eq!(faster(at_least, &both[..1]).verdict, Verdict::True);
    let about = "is = \"about\"\nnumber = 50.0\nmargin = 12.0\n";
    assert_eq!(faster(about, &both[..1]).verdict, Verdict::True);
    assert!(matches!(
        faster("is = \"about\"\nnumber = 50.0\n", &both[..1]).verdict,
        Verdict::NotDecided(_)
    ));
}

#[test]
fn without_bounds_or_without_the_other_model_nothing_is_decided() {
    let alone = speed("cpu", "tiny:Q4_0", 50.0, None);
    let found = faster("is = \"at_least\"\nnumber = 40.0\n", std::slice::from_ref(&alone));
    let Verdict::CannotBeTested(why) = found.verdict else { panic!("{found:?}") };
    assert!(why.contains("yardstick run -m tiny:Q4_0 -t tg64"), "{why}");
    let elsewhere = speed("cpu:avx2", "tiny:F16", 10.0, Some((9.0, 11.0)));
    let bounded = Evidence { bounds: Some((45.0, 55.0)), ..alone };
    let ratio = "against = \"tiny:F16\"\nis = \"at_least\"\nnumber = 2.0\n";
    assert!(matches!(faster(ratio, &[bounded, elsewhere]).verdict, Verdict::CannotBeTested(_)));
}

/// Perplexity of a text of twelve windows of very different difficulty; `more` nats a position are added to all of it.
fn perplexity(model: &str, more: f64) -> Evidence {
    use yardstick_api::Known;
    use yardstick_record::{Data, Quality, Window};
    let window = |i: u32| {
        // A hundredth of a nat to either side: not every window loses the same.
        let loss = more + if i.is_multiple_of(2) { 0.01 } else { -0.01 };
        Window {
            n: 100,
            nll: 100.0 * (2.0 + 0.3 * f64::from(i) + loss),
            nll_squared: 0.0,
            kld: None,
        }
    };
    let windows: Vec<Window> = (0..12).map(window).collect();
    let mean = windows.iter().map(|window| window.nll).sum::<f64>() / 1200.0;
    let none = || Known::unavailable("made up");
    let data = Data {
        name: "t".into(),
        sha256: "ab".into(),
        bytes: 1,
        source: none(),
        licence: none(),
        date: none(),
    };
    let (reference, scores, answers, farthest) = (None, vec![], vec![], vec![]);
    let method = "windows".into();
    let quality = Quality { data, reference, method, scores, windows, answers, farthest };
    Evidence {
        test: "ppl".into(),
        metric: "perplexity".into(),
        quality: Some(Box::new(quality)),
        ..speed("cpu", model, mean.exp(), Some((0.5 * mean.exp(), 2.0 * mean.exp())))
    }
}

#[test]
fn perplexities_of_one_text_are_held_side_by_side_window_by_window() {
    let claim = |by: &str, is: &str, number: f64| {
        let text = format!(
            "{HEAD}[claim.measured]\nmodels = [\"tiny:Q4_0\"]\ntest = \"ppl\"\nmetric = \"perplexity\"\nagainst = \"tiny:F16\"\n{by}is = \"{is}\"\nnumber = {number}\n"
        );
        let both = [perplexity("tiny:Q4_0", 0.05), perplexity("tiny:F16", 0.0)];
        let mut found = Claims::parse("x.toml", &text).unwrap().find(None, &both);
        (found[0].measured.remove(0), found.remove(0).verdict)
    };
    // e^0.05 = 1.0513; the windows' own spread would have said anything from 0.25 to 4.
    let (words, verdict) = claim("", "at_least", 1.04);
    assert!(words.contains("1.05×"), "{words}");
    assert_eq!(verdict, Verdict::True, "{words}");
    assert!(matches!(claim("", "at_most", 1.04).1, Verdict::NotHere(_)));
    // A difference depends on how hard the text is, a ratio does not: 1.97, and other texts of this kind from 0.61 to 3.33.
    let difference = "by = \"difference\"\n";
    assert_eq!(claim(difference, "at_least", 0.5).1, Verdict::True);
    assert!(matches!(claim(difference, "at_most", 0.2).1, Verdict::NotHere(_)));
    assert!(matches!(claim(difference, "at_most", 1.5).1, Verdict::NotDecided(_)));
    // Another text is another text: only the wide bounds of each are left.
    let mut other = perplexity("tiny:F16", 0.0);
    if let Some(quality) = &mut other.quality {
        quality.data.sha256 = "cd".into();
    }
    let text = format!(
        "{HEAD}[claim.measured]\nmodels = [\"tiny:Q4_0\"]\ntest = \"ppl\"\nmetric = \"perplexity\"\nagainst = \"tiny:F16\"\nis = \"at_most\"\nnumber = 1.1\n"
    );
    let found =
        Claims::parse("x.toml", &text).unwrap().find(None, &[perplexity("tiny:Q4_0", 0.05), other]);
    assert!(matches!(found[0].verdict, Verdict::NotDecided(_)), "{found:?}");
}

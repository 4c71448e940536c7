//! Runs with real worker processes: this program is the parent and, with `worker` as its argument, the worker.
//! That is why it has a main of its own. Arguments that do not begin with a dash select tests by name.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod disturbed;
mod liar;
mod misbehaviour;
mod modes;
mod orphans;
mod pairs;
mod python;
mod quality;
mod verification;
mod worded;
mod workers;
mod workloads;

use std::process::ExitCode;

use yardstick_null::Null;
use yardstick_reference::Reference;

const TESTS: &[(&str, fn())] = &[
    ("every_misbehaviour_is_classified_and_the_run_goes_on", misbehaviour::classified),
    ("a_hanging_worker_is_killed_at_its_deadline", misbehaviour::hanging),
    ("fifteen_ways_to_fail_are_told_apart_and_leave_nothing_behind", modes::fifteen),
    ("late_misbehaviour_costs_only_its_cells", misbehaviour::late),
    ("a_device_lost_twice_is_quarantined", misbehaviour::lost_twice),
    ("workers_that_break_the_protocol_are_found_out", liar::found_out),
    ("a_worker_that_does_not_start_is_an_error", liar::no_worker),
    ("wrong_answers_are_never_measured", verification::wrong),
    ("answers_are_cached_and_damaged_ones_computed_again", verification::cache),
    ("verify_only_makes_no_records", verification::only),
    ("without_a_reference_nothing_is_measured", verification::without),
    ("a_resumed_run_leaves_out_what_was_measured", verification::resumed),
    ("logits_are_written_for_every_position", verification::logits),
    ("cancelling_keeps_what_was_measured", orphans::cancelled),
    ("a_store_that_is_full_ends_the_run", orphans::full_store),
    ("a_killed_parent_leaves_no_worker", orphans::parent_killed),
    ("a_worker_in_python_is_a_backend_like_any_other", python::worker),
    ("builds_run_the_same_devices_under_labels", workers::builds),
    ("a_worker_that_cannot_be_asked_is_a_missing_device", workers::missing),
    ("a_device_of_two_workers_is_an_error_naming_both", workers::claimed),
    ("what_another_program_says_is_checked", workers::untrusted),
    ("members_of_a_pair_take_turns_in_an_order_of_the_seed", pairs::alternate),
    ("a_lost_member_costs_its_own_cells", pairs::lost),
    ("a_member_that_lies_is_found_out_in_its_turn", pairs::liars),
    ("a_cancelled_pair_keeps_whole_rounds", pairs::cancelled),
    ("a_member_that_is_not_idle_when_it_should_be_is_told", pairs::restless),
    ("what_others_disturbed_is_marked_and_where_asked_refused", disturbed::refused_when_strict),
    ("noise_is_every_device_against_itself", pairs::noise),
    ("members_that_do_not_fit_together_take_turns_by_launches", pairs::apart),
    ("a_device_without_logits_is_measured_unverified", python::unverifiable),
    ("perplexity_is_that_of_a_direct_computation", quality::perplexity),
    ("divergence_is_small_from_itself_and_large_from_made_up_answers", quality::divergence),
    ("random_weights_are_scored_only_where_one_insists", quality::random),
    ("bad_texts_and_questions_are_errors_that_say_where", quality::bad_input),
    ("the_likelier_choice_is_found", quality::choices),
    ("answers_are_bounded_checked_and_timed", quality::answers),
    ("greedy_text_of_the_reference_is_its_own", quality::greedy),
    ("conversations_are_replayed_both_ways", workloads::chat),
    ("requests_arrive_and_are_answered", workloads::serve),
    ("the_search_for_a_capacity_is_bounded", workloads::capacity),
    ("hard_inputs_have_the_outcome_they_should", workloads::robust),
    ("processes_run_at_once_and_start_cold", workloads::together_and_cold),
    ("devices_that_misbehave_in_workloads_are_classified", workloads::misbehaving),
    ("a_workload_that_a_program_does_not_know_is_skipped", workloads::unknown_to_others),
    ("a_test_of_quality_goes_on_where_it_was", quality::resumed),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("worker") => {
            return yardstick_measure::worker::serve_stdio(&[&Null::misbehaving(), &Reference]);
        }
        Some("liar") => return liar::serve(),
        Some("parent-of-hanging") => return orphans::parent(),
        Some("--list") => {
            TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let chosen = |name: &str| {
        let mut filters = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
        filters.peek().is_none() || filters.any(|filter| name.contains(filter.as_str()))
    };
    let mut failed = 0;
    for (name, test) in TESTS.iter().filter(|(name, _)| chosen(name)) {
        let passed = std::panic::catch_unwind(test).is_ok() && orphans::none(name);
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += u32::from(!passed);
    }
    println!("{failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

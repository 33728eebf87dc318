//! Reports as JUnit XML, which every CI system shows.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

/// One line of a report: something that was checked.
#[derive(Clone, Debug)]
pub struct Case {
    /// What was checked: an invariant, or a file.
    pub name: String,
    /// What it belongs to: the scenario.
    pub class: String,
    /// Why it is not as it should be, in a line and in full; `None` if it is.
    pub failure: Option<(String, String)>,
    /// Why nothing is said of it, if nothing is; a failure goes first.
    pub skipped: Option<String>,
}

/// The document.
pub fn document(name: &str, cases: &[Case], time: Option<Duration>) -> String {
    let mut suite = TestSuite::new(name);
    for case in cases {
        let status = match (&case.failure, &case.skipped) {
            (Some((line, text)), _) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(line).set_type("violated").set_description(text);
                status
            }
            (None, Some(why)) => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(why);
                status
            }
            (None, None) => TestCaseStatus::success(),
        };
        let mut one = TestCase::new(&case.name, status);
        one.set_classname(&case.class);
        suite.add_test_case(one);
    }
    if let Some(time) = time {
        suite.set_time(time);
    }
    let mut report = Report::new("canloom");
    report.add_test_suite(suite);
    report.to_string().expect("bug in canloom: text can be written as XML")
}

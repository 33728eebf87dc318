//! Names of steps and schedules.

use super::parse::can_call;
use super::*;
use proptest::prelude::*;

#[test]
fn names_read_as_the_module_says() {
    for (text, kind) in [
        ("2", StepKind::Start),
        ("2s", StepKind::Submit),
        ("2p1", StepKind::PerformFails(1)),
        ("2.1", StepKind::Request),
        ("2.1r", StepKind::Response),
        ("2.1r.1", StepKind::Request),
        ("2.1j", StepKind::Reject(2)),
        ("2.1j3", StepKind::Reject(3)),
        ("2.1j5", StepKind::Reject(5)),
        ("2.1b", StepKind::BusinessError),
        ("2.1l", StepKind::Lie),
        ("2.1rt", StepKind::Trap),
        ("2.1rp12", StepKind::PerformFails(12)),
        ("2.1p3", StepKind::PerformFails(3)),
        ("2.1r.7x", StepKind::Expire),
        ("ledger.t1", StepKind::Start),
        ("a-b_c.h12", StepKind::Start),
        ("ledger.t2.1r", StepKind::Response),
        ("ledger.t2p1", StepKind::PerformFails(1)),
        ("gov.stop1", StepKind::Start),
        ("gov.upgrade3", StepKind::Start),
        ("@1", StepKind::Start),
        ("2{amt=30}", StepKind::Start),
        ("2{amt=30,to=\"a.b c\"}s", StepKind::Submit),
        ("2{amt=3.5}p1", StepKind::PerformFails(1)),
    ] {
        let step: Step = text.parse().unwrap();
        assert_eq!(step.kind, kind, "{text}");
        assert_eq!(step.to_string(), text);
    }
}

#[test]
fn what_is_no_name_is_refused() {
    for text in [
        "",
        "x",
        "-1",
        "01",
        "1.",
        "1.0",
        "1.1q",
        "1.1j2",
        "1.1x.2",
        "1..2",
        "9999999999",
        "1.1rr",
        "1.+1",
        "@",
        "@0",
        "@1.1",
        "@1s",
        "a.t",
        "a.t0",
        "a.q1",
        "a.t1s",
        "a.stop1p1",
        "1.1s",
        "1.1t",
        "1x",
        "1p0",
        "1.1rb",
        "a.t1.1s",
        "2{amt=30}.1",
        "2{amt=30}.1r",
        "2.1{amt=30}",
        "2{amt=30",
        "2{}",
        "a.t1{amt=30}",
        "@1{amt=30}",
        "{amt=30}",
    ] {
        assert!(text.parse::<Step>().is_err(), "{text}");
    }
}

fn arbitrary_root() -> impl Strategy<Value = Root> {
    let task = ("[a-z_][a-z0-9_-]{0,8}", 0..TASKS.len(), 1u32..99);
    prop_oneof![
        (0u32..1000).prop_map(Root::Call),
        (1u32..9).prop_map(Root::Time),
        task.prop_map(|(canister, task, n)| Root::Task { canister: canister.as_str().into(), task: TASKS[task].0, n }),
    ]
}

proptest! {
    #[test]
    fn every_step_survives_its_text(
        root in arbitrary_root(),
        path in prop::collection::vec((1u32..50, any::<bool>()), 0..12),
        mark in 0u8..10,
        values in prop::collection::btree_map("[a-z]{1,3}", "[a-z0-9. {}\"]{0,4}", 0..3),
    ) {
        let mut name = Path::root();
        for (n, callback) in path {
            name = name.request(n);
            if callback { name = name.response(); }
        }
        if matches!(root, Root::Time(_)) { name = Path::root(); }
        let kind = match (name.depth(), name.is_response(), mark) {
            (_, _, 9) if can_call(&root) => StepKind::PerformFails(7),
            (0, _, 8) if root.call().is_some() => StepKind::Submit,
            (0, _, _) => StepKind::Start,
            (_, true, 7) => StepKind::Trap,
            (_, true, _) => StepKind::Response,
            (_, _, 0) => StepKind::Request,
            (_, _, 1) => StepKind::Expire,
            (_, _, 2) => StepKind::BusinessError,
            (_, _, 3) => StepKind::Lie,
            (_, _, code) => StepKind::Reject(if code == 4 { 5 } else { code % 3 + 1 }),
        };
        let begins = name.depth() == 0 && root.call().is_some();
        let values = if begins { Values::new(values.into_iter().collect()) } else { Values::default() };
        let step = Step { root, path: name, kind, values };
        prop_assert_eq!(step.to_string().parse::<Step>().unwrap(), step);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
        let _ = text.parse::<Step>();
    }
}

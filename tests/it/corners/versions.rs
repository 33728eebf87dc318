//! Corner 28, as far as executions go: what a canister's version counts.

use super::super::puppet::expr::version;
use super::super::puppet::{Program, Theater};
use super::to_c1;

#[test]
fn corner_28_version_counts_executions_that_return_and_no_others() {
    let new = Program::new;
    let callback = |program: Program| new().call(to_c1().on_reply(program));
    let cleaned = |callback: Program, cleanup: Program| new().call(to_c1().on_reply(callback).on_cleanup(cleanup));
    for (method, program, more) in [
        ("run", new().reply(), 1),
        ("run", new(), 1),
        ("run", new().reject("no"), 1),
        ("run", new().trap("t"), 0),
        ("query", new().reply(), 1),
        ("query", new().trap("t"), 0),
        ("composite", new(), 0),
        ("run", callback(new().reply()), 2),
        ("run", callback(new().trap("t")), 1),
        ("run", cleaned(new().trap("t"), new()), 2),
        ("run", cleaned(new().trap("t"), new().trap("c")), 1),
    ] {
        let mut play = Theater::of(2).call_of(0, method, &program).observe("v", 0, version()).play();
        let number = |play: &mut super::Play| play.observe("v").parse::<u64>().expect("a number");
        let before = number(&mut play);
        assert_eq!(number(&mut play), before, "a query does not count");
        super::to_the_end(&mut play);
        assert_eq!(number(&mut play) - before, more, "{method} {program:?}");
    }
}

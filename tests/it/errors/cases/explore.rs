//! Searches, replays and reports.

use super::{Case, case, then};

const EXPLORE: &str = "canloom explore";
const REPRO: &str = "canloom repro and shrink";
const REPORT: &str = "canloom report, and files that are written";
const CHECKPOINT: &str = "--checkpoint";

/// The cases.
pub const CASES: &[Case] = &[
    case(
        EXPLORE,
        "a report into a folder that is not there",
        "",
        "canloom explore scenario.toml --json no/where.json",
        2,
    ),
    case(EXPLORE, "a report in place of a folder", "mkdir d", "canloom explore scenario.toml --html d", 2),
    case(EXPLORE, "a report below a file", "", "canloom explore scenario.toml --junit x.cx/r.xml", 2),
    case(EXPLORE, "a report in place of a source", "", "canloom explore scenario.toml --json scenario.toml", 2),
    case(EXPLORE, "two reports in one file", "", "canloom explore scenario.toml --json r --html r", 2),
    case(EXPLORE, "the same, by a link", ": > r; ln -s r l", "canloom explore scenario.toml --json r --outcomes l", 2),
    then(
        case(EXPLORE, "two reports on standard output", "", "canloom explore scenario.toml --json - --outcomes -", 2),
        "name a file for one of them",
    ),
    case(EXPLORE, "a page on standard output", "", "canloom explore scenario.toml --html -", 2),
    case(EXPLORE, "a name that is too long", "", "canloom explore scenario.toml --json $(printf 'a%.0s' {1..300})", 2),
    then(case(EXPLORE, "a seed that is no number", "", "canloom explore scenario.toml --seed abc", 2), "write digits"),
    then(case(EXPLORE, "no schedules", "", "canloom explore scenario.toml --schedules 0", 2), "give a larger number"),
    then(case(EXPLORE, "a time without a unit", "", "canloom explore scenario.toml --budget 5", 2), "write 5s"),
    then(case(EXPLORE, "a time that is no number", "", "canloom explore scenario.toml --budget xs", 2), "write digits"),
    then(case(EXPLORE, "a size without a unit", "", "canloom explore scenario.toml --max-memory 4", 2), "write 4GiB"),
    then(
        case(EXPLORE, "a size that is no number", "", "canloom explore scenario.toml --max-memory xMiB", 2),
        "write digits",
    ),
    then(case(EXPLORE, "no memory", "", "canloom explore scenario.toml --max-memory 0GiB", 2), "give a larger size"),
    case(EXPLORE, "too little memory", "", "canloom explore scenario.toml --max-memory 1MiB", 2),
    case(EXPLORE, "a shard that is none", "", "canloom explore scenario.toml --shard 9", 2),
    case(EXPLORE, "a shard beyond the last", "", "canloom explore scenario.toml --shard 3/2", 2),
    case(EXPLORE, "an unknown bound", "", "canloom explore scenario.toml --bound calling=1", 2),
    then(
        case(EXPLORE, "a bound that is no number", "", "canloom explore scenario.toml --bound calls=x", 2),
        "write digits",
    ),
    then(
        case(EXPLORE, "a bound twice", "", "canloom explore scenario.toml --bound calls=1 --bound calls=2", 2),
        "give it once",
    ),
    then(
        case(
            EXPLORE,
            "a seed for an exhaustive search",
            "",
            "canloom explore scenario.toml --strategy exhaustive --seed 1",
            2,
        ),
        "leave one of the two out",
    ),
    case(EXPLORE, "a sampled shard", "", "canloom explore scenario.toml --shard 1/2 --strategy random", 2),
    case(EXPLORE, "a sampled checkpoint", "", "canloom explore scenario.toml --checkpoint cp --strategy random", 2),
    then(
        case(EXPLORE, "a page of a shard", "", "canloom explore scenario.toml --shard 1/2 --html h", 2),
        "leave one of the two out",
    ),
    case(EXPLORE, "no address space", "", "bash -c 'ulimit -v 2000000; canloom explore scenario.toml'", 1),
    case(REPRO, "it is not there", "", "canloom repro none.cx", 2),
    case(REPRO, "a folder is named", "mkdir d", "canloom repro d", 2),
    case(REPRO, "a pipe is named", "mkfifo p.cx", "canloom repro p.cx", 2),
    case(REPRO, "it is too large", "truncate -s 5M b.cx", "canloom repro b.cx", 2),
    case(REPRO, "it is not text", "printf '\\xff' > b.cx", "canloom repro b.cx", 2),
    then(case(REPRO, "it is something else", "echo hello > b.cx", "canloom repro b.cx", 2), "name a counterexample"),
    case(REPRO, "its scenario is not there", "mkdir d; cp x.cx d", "canloom repro d/x.cx", 2),
    case(REPRO, "of another version", "sed -i '1s/1$/9/' x.cx", "canloom repro x.cx", 2),
    then(case(REPRO, "an unknown key", "sed -i 's/^tool/tools/' x.cx", "canloom repro x.cx", 2), "correct the line"),
    then(case(REPRO, "a step that is none", "echo 0.1q >> x.cx", "canloom repro x.cx", 2), "correct the line"),
    then(
        case(REPRO, "its scenario lies elsewhere", "sed -i 's#^scenario: #&../#' x.cx", "canloom repro x.cx", 2),
        "put the scenario there",
    ),
    case(
        REPRO,
        "an invariant that is gone",
        "sed -i 's/order is kept/order was kept/' scenario.toml",
        "canloom repro x.cx",
        2,
    ),
    case(REPRO, "a canister that is gone", "sed -i 's/^module c1/module c9/' x.cx", "canloom repro x.cx", 2),
    case(
        REPRO,
        "a module that has changed",
        "sed -i 's/^module c0: ./module c0: Z/' x.cx",
        "canloom repro --quiet x.cx",
        3,
    ),
    case(REPRO, "a step that cannot be made", "echo 7 >> x.cx", "canloom repro x.cx", 4),
    case(REPRO, "it holds now", "sed -i 's/total != 897/total != 1/' scenario.toml", "canloom shrink x.cx", 6),
    case(REPORT, "it is not there", "", "canloom report none.cx --html h", 2),
    case(REPORT, "two reports in one file", "", "canloom report x.cx --html r --json r", 2),
    then(
        case(REPORT, "two on standard output", "", "canloom report x.cx --html - --mermaid -", 2),
        "name a file for one of them",
    ),
    case(REPORT, "a folder that is not there", "", "canloom report x.cx --html no/h.html", 2),
    case(REPORT, "a source", "", "canloom report x.cx --html c0.wasm", 2),
    case(
        REPORT,
        "it holds now",
        "sed -i 's/total != 897/total != 1/' scenario.toml",
        "canloom report x.cx --html h",
        6,
    ),
    then(case(REPORT, "no report is asked for", "", "canloom report x.cx", 2), "name one of them"),
    case(REPORT, "files may not grow", "", "bash -c \"trap '' XFSZ; ulimit -f 1; canloom report x.cx --html h\"", 1),
    case(CHECKPOINT, "a file", "", "canloom explore scenario.toml --checkpoint x.cx", 2),
    case(CHECKPOINT, "its folder is not there", "", "canloom explore scenario.toml --checkpoint no/cp", 2),
    case(CHECKPOINT, "a link to nothing", "ln -s nowhere cp", "canloom explore scenario.toml --checkpoint cp", 2),
    case(
        CHECKPOINT,
        "a folder of something else",
        "mkdir cp; touch cp/f",
        "canloom explore scenario.toml --checkpoint cp",
        2,
    ),
    case(
        CHECKPOINT,
        "its log is something else",
        "mkdir cp; echo hello > cp/log",
        "canloom explore scenario.toml --checkpoint cp",
        2,
    ),
    case(
        CHECKPOINT,
        "its log is a pipe",
        "mkdir cp; mkfifo cp/log",
        "canloom explore scenario.toml --checkpoint cp",
        2,
    ),
    case(
        CHECKPOINT,
        "of another scenario",
        "canloom explore scenario.toml --checkpoint cp --quiet || true; sed -i 's/total != 897/total != 1/' scenario.toml",
        "canloom explore scenario.toml --checkpoint cp",
        2,
    ),
];

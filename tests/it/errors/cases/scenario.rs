//! Scenario files, and what they name.

use super::{Case, case, then};

const READING: &str = "Scenario files";
const INSIDE: &str = "Inside a scenario";
const MODULES: &str = "Modules and interfaces";

/// The cases.
pub const CASES: &[Case] = &[
    case(READING, "it is not there", "", "canloom explore none.toml", 2),
    case(READING, "a folder is named", "mkdir d", "canloom explore d", 2),
    case(READING, "a part of the path is a file", "", "canloom explore scenario.toml/x", 2),
    case(READING, "a link leads nowhere", "ln -s nowhere l.toml", "canloom explore l.toml", 2),
    case(READING, "a pipe that nobody writes", "mkfifo p.toml", "canloom explore p.toml", 2),
    case(READING, "a device", "", "canloom explore /dev/zero", 2),
    case(READING, "it is too large", "truncate -s 2M b.toml", "canloom explore b.toml", 2),
    case(READING, "it is not text", "printf 'a\\xff' > b.toml", "canloom explore b.toml", 2),
    then(case(READING, "it is empty", ": > e.toml", "canloom explore e.toml", 2), "write the line"),
    case(
        READING,
        "another format",
        "sed -i 's/format = 1/format = 2/' scenario.toml",
        "canloom explore scenario.toml",
        2,
    ),
    then(
        case(READING, "not TOML", "echo '= 3' >> scenario.toml", "canloom explore scenario.toml", 2),
        "correct the line",
    ),
    case(
        READING,
        "no name",
        "sed -i 's/name = \"test\"/name = \"\"/' scenario.toml",
        "canloom explore scenario.toml",
        2,
    ),
    then(
        case(
            INSIDE,
            "an unknown key",
            "sed -i '0,/method/s//methud/' scenario.toml",
            "canloom explore scenario.toml",
            2,
        ),
        "correct the key",
    ),
    then(
        case(
            INSIDE,
            "an unknown actor",
            "sed -i '0,/\"alice\"/s//\"alcie\"/' scenario.toml",
            "canloom explore scenario.toml",
            2,
        ),
        "correct the name",
    ),
    then(
        case(
            INSIDE,
            "an unknown canister",
            "sed -i '0,/to = \"c0\"/s//to = \"c7\"/' scenario.toml",
            "canloom explore scenario.toml",
            2,
        ),
        "correct the name",
    ),
    then(
        case(
            INSIDE,
            "an unknown method",
            "sed -i '0,/method = \"w\"/s//method = \"ww\"/' scenario.toml",
            "canloom explore scenario.toml",
            2,
        ),
        "correct the name, or build the module again",
    ),
    then(
        case(
            INSIDE,
            "a bound that is too large",
            "printf '\\n[explore]\\nfaults = 99\\n' >> scenario.toml",
            "canloom explore scenario.toml",
            2,
        ),
        "write a number between these",
    ),
    then(
        case(
            INSIDE,
            "an unknown name in an expression",
            "sed -i 's/total != 897/tutal != 897/' scenario.toml",
            "canloom explore scenario.toml",
            2,
        ),
        "correct the name",
    ),
    case(
        INSIDE,
        "half an expression",
        "sed -i 's/total != 897/total !=/' scenario.toml",
        "canloom explore scenario.toml",
        2,
    ),
    case(
        INSIDE,
        "an expression that is no condition",
        "sed -i 's/total != 897/total + 1/' scenario.toml",
        "canloom explore scenario.toml",
        2,
    ),
    then(
        case(
            INSIDE,
            "arguments that are no Candid",
            "sed -i 's/(0 : nat32)/(0 : nat32/' scenario.toml",
            "canloom explore scenario.toml",
            2,
        ),
        "close the bracket",
    ),
    case(
        INSIDE,
        "an id that is none",
        "sed -i '0,/^id = \".*\"/s//id = \"zzz\"/' scenario.toml",
        "canloom explore scenario.toml",
        2,
    ),
    case(MODULES, "the module is not there", "rm c0.wasm", "canloom explore scenario.toml", 2),
    case(MODULES, "a folder in its place", "rm c0.wasm; mkdir c0.wasm", "canloom explore scenario.toml", 2),
    case(MODULES, "a pipe in its place", "rm c0.wasm; mkfifo c0.wasm", "canloom explore scenario.toml", 2),
    case(MODULES, "it is too large", "truncate -s 101M c0.wasm", "canloom explore scenario.toml", 2),
    case(MODULES, "it is empty", ": > c0.wasm", "canloom explore scenario.toml", 2),
    case(MODULES, "it is no module", "echo hello > c0.wasm", "canloom explore scenario.toml", 2),
    case(MODULES, "it is a component", "printf '\\0asm\\x0d\\0\\x01\\0' > c0.wasm", "canloom explore scenario.toml", 2),
    case(
        MODULES,
        "half of it, compressed",
        "gzip -c c0.wasm | head -c 60 > t; mv t c0.wasm",
        "canloom explore scenario.toml",
        2,
    ),
    case(
        MODULES,
        "a path that would move the cursor",
        "sed -i 's/c0.wasm/a\\\\nb\\\\u001b[31m.wasm/' scenario.toml",
        "canloom explore scenario.toml",
        2,
    ),
    case(
        MODULES,
        "the interface is not there",
        "sed -i 's/^\\[canister.c0\\]/&\\ndid = \"c0.did\"/' scenario.toml",
        "canloom explore scenario.toml",
        2,
    ),
    case(
        MODULES,
        "the interface is a device",
        "sed -i 's#^\\[canister.c0\\]#&\\ndid = \"/dev/zero\"#' scenario.toml",
        "canloom explore scenario.toml",
        2,
    ),
    case(
        MODULES,
        "the interface is too large",
        "sed -i 's/^\\[canister.c0\\]/&\\ndid = \"c0.did\"/' scenario.toml; truncate -s 300K c0.did",
        "canloom explore scenario.toml",
        2,
    ),
    case(
        MODULES,
        "the interface is not text",
        "sed -i 's/^\\[canister.c0\\]/&\\ndid = \"c0.did\"/' scenario.toml; printf '\\xff' > c0.did",
        "canloom explore scenario.toml",
        2,
    ),
    case(
        MODULES,
        "the interface has no service",
        "sed -i 's/^\\[canister.c0\\]/&\\ndid = \"c0.did\"/' scenario.toml; echo 'type A = nat;' > c0.did",
        "canloom explore scenario.toml",
        2,
    ),
    then(
        case(
            MODULES,
            "the interface names a type that it lacks",
            "sed -i 's/^\\[canister.c0\\]/&\\ndid = \"c0.did\"/' scenario.toml; echo 'service : { w : (Foo) -> () }' > c0.did",
            "canloom explore scenario.toml",
            2,
        ),
        "define the type, or correct its name",
    ),
];

//! Scenarios for tests: those of the corpus, those of the corpus with changes, and small ones.

use std::path::{Path, PathBuf};

use canloom::scenario::Scenario;
use model::{Outcomes, read_outcomes};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the repository").to_path_buf()
}

/// A scenario of the corpus.
pub fn scenario(name: &str) -> Scenario {
    Scenario::load(&root().join(format!("corpus/{name}/scenario.toml"))).unwrap()
}

/// A scenario of the corpus in which each of these texts is replaced by the one after it.
pub fn changed(name: &str, changes: &[(&str, &str)], file: &str) -> Scenario {
    let path = root().join(format!("corpus/{name}/scenario.toml"));
    let mut text = std::fs::read_to_string(path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{name} has no `{from}`");
        text = text.replace(from, to);
    }
    written(&text.replace("../../", &format!("{}/", root().display())), file)
}

/// A scenario with this text. Tests run at the same time, so each needs a file name of its own.
pub fn written(text: &str, file: &str) -> Scenario {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    std::fs::write(&path, text).unwrap();
    Scenario::load(&path).unwrap()
}

/// The outcomes of a scenario of the corpus.
pub fn outcomes(name: &str) -> Outcomes {
    let text = std::fs::read_to_string(root().join(format!("corpus/{name}/outcomes.txt"))).unwrap();
    read_outcomes(&text).unwrap()
}

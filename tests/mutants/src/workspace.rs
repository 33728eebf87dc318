//! A workspace of generated canisters, laid out as `canisters/` is, so that its `build.sh` builds it.
//!
//! In: canisters, a file each. Out: those that compile, as modules. Each is an example of one package, so that what they
//! depend upon is compiled once. Their files have names of one length (`m007.rs`): a module holds the name of its source,
//! and two modules that differ in nothing else are to be equal.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wasmparser::{Parser, Payload};

/// The workspace's folder and the canisters in it.
pub struct Workspace<'a> {
    root: &'a Path,
    folder: PathBuf,
}

impl<'a> Workspace<'a> {
    /// A workspace below `folder`, for a project in `root`.
    pub fn new(root: &'a Path, folder: &Path) -> Self {
        Self { root, folder: folder.join("canisters") }
    }

    /// The canister of this number: the name of its example.
    pub fn example(number: usize) -> String {
        format!("m{number:03}")
    }

    /// Writes the workspace with these examples and no others. Files that are as they should be are not touched, so
    /// that nothing is built twice.
    ///
    /// # Errors
    ///
    /// A file cannot be read or written.
    pub fn write(&self, examples: &[(String, String)]) -> Result<(), String> {
        let canisters = self.root.join("canisters");
        for name in ["build.sh", "host.rs", "ic.rs", "icrc1.rs"] {
            self.put(name, &read(&canisters.join(name))?)?;
        }
        if !self.folder.join("Cargo.lock").exists() {
            self.put("Cargo.lock", &read(&canisters.join("Cargo.lock"))?)?;
        }
        let manifest = read(&canisters.join("Cargo.toml"))?;
        let kept = manifest.split("[profile").next().unwrap_or_default();
        let kept = kept.lines().filter(|line| !line.starts_with("members")).collect::<Vec<_>>().join("\n");
        let kept = kept.replacen("[workspace]", "[workspace]\nmembers = [\"mutants\"]", 1);
        // Hundreds of modules: what they share is compiled once, their own code as quickly as can be. Nothing reads the
        // names of their functions.
        let profile = "[profile.release]\nopt-level = 1\ncodegen-units = 1\npanic = \"abort\"\nstrip = true\n\n\
                       [profile.release.package.mutants]\nopt-level = 0\n";
        self.put("Cargo.toml", &format!("{kept}\n\n{profile}"))?;

        let controls = canisters.join("controls");
        self.put("mutants/src/lib.rs", &read(&controls.join("src/lib.rs"))?)?;
        let manifest = read(&controls.join("Cargo.toml"))?;
        let dependencies = manifest.split("[dependencies]").nth(1).and_then(|rest| rest.split("\n[").next());
        let dependencies = dependencies.ok_or("canisters/controls has no dependencies")?;
        let mut manifest =
            "[package]\nname = \"mutants\"\nedition.workspace = true\n\n[lib]\nname = \"controls\"\n\n".to_string();
        for (name, source) in examples {
            manifest += &format!("[[example]]\nname = \"{name}\"\ncrate-type = [\"cdylib\"]\n\n");
            self.put(&format!("mutants/examples/{name}.rs"), source)?;
        }
        self.put("mutants/Cargo.toml", &format!("{manifest}[dependencies]{dependencies}"))?;
        let folder = self.folder.join("mutants/examples");
        for entry in fs::read_dir(&folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))? {
            let file = entry.map_err(|error| error.to_string())?.path();
            let is_example = examples.iter().any(|(name, _)| file.file_stem().is_some_and(|stem| *stem == **name));
            if !is_example {
                fs::remove_file(&file).map_err(|error| format!("cannot remove {}: {error}", file.display()))?;
            }
        }
        Ok(())
    }

    /// Examples that do not compile.
    ///
    /// # Errors
    ///
    /// cargo does not run, or something else does not compile.
    pub fn broken(&self) -> Result<BTreeSet<String>, String> {
        let mut cargo = Command::new("cargo");
        cargo.args(["check", "--quiet", "--examples", "--keep-going", "--message-format=json"]);
        cargo.args(["--target-dir", "../target/check"]).current_dir(&self.folder).stderr(Stdio::null());
        let output = cargo.output().map_err(|error| format!("cannot run cargo: {error}"))?;
        let mut broken = BTreeSet::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            if message["message"]["level"] != "error" {
                continue;
            }
            if message["target"]["kind"][0] != "example" {
                return Err(format!("cannot compile the mutants: {}", message["message"]["rendered"]));
            }
            broken.extend(message["target"]["name"].as_str().map(String::from));
        }
        if !output.status.success() && broken.is_empty() {
            return Err(format!("cargo check fails in {}", self.folder.display()));
        }
        Ok(broken)
    }

    /// Builds all examples; the folder of their modules.
    ///
    /// # Errors
    ///
    /// The build fails.
    pub fn build(&self) -> Result<PathBuf, String> {
        let modules = self.folder.with_file_name("modules");
        let mut build = Command::new(self.folder.join("build.sh"));
        // Names of functions decide the order of functions; in this form they do not contain a hash of the whole crate.
        build.arg(&modules).env("CANISTER_RUSTFLAGS", "-Csymbol-mangling-version=v0");
        // It warns of what mutants no longer use.
        match build.output() {
            Ok(output) if output.status.success() => Ok(modules.join("mutants")),
            Ok(output) => Err(format!("cannot build the mutants: {}", String::from_utf8_lossy(&output.stderr))),
            Err(error) => Err(format!("cannot run build.sh: {error}")),
        }
    }

    fn put(&self, name: &str, text: &str) -> Result<(), String> {
        let file = self.folder.join(name);
        let explain = |error| format!("cannot write {}: {error}", file.display());
        if fs::read_to_string(&file).is_ok_and(|old| old == text) {
            return Ok(());
        }
        fs::create_dir_all(file.parent().expect("a file below a folder")).map_err(explain)?;
        fs::write(&file, text).map_err(explain)?;
        if name.ends_with(".sh") {
            let from = self.root.join("canisters").join(name);
            let permissions = fs::metadata(&from).map_err(explain)?.permissions();
            fs::set_permissions(&file, permissions).map_err(explain)?;
        }
        Ok(())
    }
}

/// What a module does: its sections but for data, which hold the name of the source and line numbers, and names.
///
/// # Errors
///
/// It cannot be read, or is no module.
pub fn code(module: &Path) -> Result<Vec<u8>, String> {
    let explain = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", module.display());
    let bytes = fs::read(module).map_err(|error| explain(&error))?;
    let mut code = Vec::new();
    for payload in Parser::new(0).parse_all(&bytes) {
        let payload = payload.map_err(|error| explain(&error))?;
        if !matches!(payload, Payload::DataSection(_) | Payload::CustomSection(_))
            && let Some((id, range)) = payload.as_section()
        {
            code.push(id);
            code.extend_from_slice(&bytes[range.start as usize..range.end as usize]);
        }
    }
    Ok(code)
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

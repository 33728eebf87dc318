//! A PocketIC server: found, checked, started.
//!
//! In: POCKET_IC_BIN, or a server at the place where the client crate keeps one. Out: a running server and its address, or one line that
//! says what is wrong and what helps. Nothing waits without a limit. Nothing is downloaded.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::held::{Directory, Held, PAUSE};

/// The major version that the client crate speaks to.
const MAJOR: u64 = 16;
/// What helps when there is no server, or none of use.
const REMEDY: &str =
    "set POCKET_IC_BIN to a PocketIC server 16.x, published at https://github.com/dfinity/pocketic/releases";
/// How long a program may take to print its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);
/// How long a server may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(30);
/// A server ends by itself after so many seconds without a request, should all else fail.
const IDLE: &str = "60";
/// So often it is asked something, that it does not.
const ASKED: Duration = Duration::from_secs(15);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// None was named, and none lies at the place for it.
    #[error("no PocketIC server: POCKET_IC_BIN is not set and there is no {}; {REMEDY}", .0.display())]
    Missing(PathBuf),
    /// There is something, but it is no server of use. What it is, with its path; what is wrong with it.
    #[error("{0}: {1}; {REMEDY}")]
    Unfit(String, String),
    /// A server that was fit did not come up.
    #[error("PocketIC server {}: {}; {REMEDY}", .0.display(), .1)]
    Start(PathBuf, String),
}

/// A server that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    version: String,
}

impl Program {
    /// The program that POCKET_IC_BIN names; else the one at `pocket-ic-server-16.1.0/pocket-ic` among the temporary files.
    pub fn find() -> Result<Program, ServerError> {
        let directory = format!("pocket-ic-server-{}", pocket_ic::LATEST_SERVER_VERSION);
        let place = std::env::temp_dir().join(directory).join("pocket-ic");
        Program::find_among(std::env::var_os("POCKET_IC_BIN"), &place, VERSION_LIMIT)
    }

    /// As [`find`](Program::find), with the value of POCKET_IC_BIN, the place, and how long the program may take to print its version.
    pub fn find_among(named: Option<OsString>, place: &Path, limit: Duration) -> Result<Program, ServerError> {
        let (path, called) = match named.filter(|named| !named.is_empty()) {
            Some(named) => (PathBuf::from(&named), format!("POCKET_IC_BIN={}", Path::new(&named).display())),
            None if place.exists() => (place.to_owned(), place.display().to_string()),
            None => return Err(ServerError::Missing(place.to_owned())),
        };
        // A name without a slash is a file here, not one that is searched for.
        let fit = std::path::absolute(&path).map_err(|error| error.to_string()).and_then(|path| {
            let version = version_of(&path, limit)?;
            Ok(Program { path, version })
        });
        fit.map_err(|fault| ServerError::Unfit(called, fault))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version, as `16.1.0`.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// The version that a program prints, if it is one of use; else what is wrong.
fn version_of(path: &Path, limit: Duration) -> Result<String, String> {
    let about = match std::fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err("there is no such file".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    if about.is_dir() {
        return Err("this is a directory".to_owned());
    }
    if !about.is_file() {
        return Err("this is not a file".to_owned());
    }
    if about.permissions().mode() & 0o111 == 0 {
        return Err("this file is not executable (chmod +x)".to_owned());
    }
    let directory = Directory::new().map_err(|error| no_directory(&error))?;
    let mut held = Held::start(path, &[OsStr::new("--version")], directory).map_err(|error| error.to_string())?;
    let Some(status) = held.ends_within(limit).map_err(|error| error.to_string())? else {
        return Err(format!("no PocketIC server: `--version` did not end within {} s", limit.as_secs()));
    };
    if !status.success() {
        return Err(format!("no PocketIC server: `--version` ended with {}", ending(status, &held)));
    }
    let output = held.output();
    let line = output.lines().next().unwrap_or_default();
    let numbers = |version: &&str| version.split('.').count() == 3 && version.starts_with(|c: char| c.is_ascii_digit());
    let Some(version) = line.strip_prefix("pocket-ic-server ").map(str::trim).filter(numbers) else {
        let line: String = line.chars().take(80).collect();
        return Err(format!("no PocketIC server: `--version` printed `{line}`"));
    };
    let major = version.split('.').next().and_then(|number| number.parse::<u64>().ok());
    if major != Some(MAJOR) {
        return Err(format!("version {version} of the PocketIC server, where one of {MAJOR}.x is needed"));
    }
    Ok(version.to_owned())
}

/// That there is no place for temporary files, which is no fault of the program's.
fn no_directory(error: &std::io::Error) -> String {
    let place = std::env::temp_dir();
    format!(
        "cannot make a folder for temporary files in {}: {error}; set TMPDIR to a folder that can be written",
        place.display()
    )
}

/// How a program ended, and its last words.
fn ending(status: ExitStatus, held: &Held) -> String {
    let code = status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"));
    held.last_words().map_or(code.clone(), |words| format!("{code}: {words}"))
}

/// A running server. It ends when this is dropped, and when this process ends, however that happens.
pub struct Server {
    held: Held,
    url: String,
    version: String,
    /// Closed when the server is no longer to be kept from ending by itself.
    _asking: Sender<()>,
}

impl Server {
    /// Starts a server and waits until it listens.
    pub fn start(program: &Program) -> Result<Server, ServerError> {
        Server::start_within(program, START_LIMIT)
    }

    /// As [`start`](Server::start), with how long it may take.
    pub fn start_within(program: &Program, limit: Duration) -> Result<Server, ServerError> {
        let failed = |why: String| ServerError::Start(program.path.clone(), why);
        let directory = Directory::new().map_err(|error| failed(no_directory(&error)))?;
        let port_file = directory.file("port");
        let arguments = ["--log-levels", "error", "--ttl", IDLE, "--port-file"].map(OsStr::new);
        let arguments = [&arguments[..], &[port_file.as_os_str()]].concat();
        let mut held =
            Held::start(&program.path, &arguments, directory).map_err(|error| failed(format!("sh: {error}")))?;
        let begin = Instant::now();
        let port = loop {
            let written = std::fs::read_to_string(&port_file).unwrap_or_default();
            if let Some(line) = written.strip_suffix('\n') {
                let port = line.trim().parse::<u16>();
                break port.map_err(|_| failed(format!("it wrote `{line}` where a port was expected")))?;
            }
            if let Some(status) = held.ended().map_err(|error| failed(error.to_string()))? {
                return Err(failed(format!("it ended before it listened, with {}", ending(status, &held))));
            }
            if begin.elapsed() >= limit {
                return Err(failed(format!("it did not listen within {} s", limit.as_secs())));
            }
            std::thread::sleep(PAUSE);
        };
        let (_asking, asked) = channel::<()>();
        std::thread::spawn(move || {
            while asked.recv_timeout(ASKED) == Err(RecvTimeoutError::Timeout) {
                // That it fails will be seen by whoever wants something of the server.
                let _ = ask(port);
            }
        });
        let url = format!("http://{}:{port}/", Ipv4Addr::LOCALHOST);
        Ok(Server { held, url, version: program.version.clone(), _asking })
    }

    /// Its address, with a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its version, as `16.1.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A directory for its temporary files, removed with it.
    pub fn directory(&self) -> &Path {
        self.held.dir()
    }

    /// How it ended and its last words, if it ended.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.held.ended().ok()??;
        Some(ending(status, &self.held))
    }
}

/// A request that changes nothing.
fn ask(port: u16) -> std::io::Result<()> {
    let limit = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    stream.write_all(b"GET /status/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    stream.read_exact(&mut [0])
}

//! Downloads over HTTP: several mirrors, several attempts, each from where the part ends that is here.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::Path,
    thread,
};

use ureq::{Agent, Body, http::Response};

use crate::{
    error::FetchError,
    get::{Options, check},
    listener::Listener,
    sets::Archive,
};

/// Why an attempt ended.
enum Failure {
    /// The same mirror may do better.
    Again(String),
    /// This mirror will not do.
    Mirror(String),
    /// No mirror would do.
    Here(FetchError),
}

use Failure::{Again, Here, Mirror};

/// Downloads an archive and checks it; `npm` says whether an error may name npm. What is there of `part` is not
/// downloaded again.
pub(crate) fn download(
    archive: &Archive,
    npm: bool,
    part: &Path,
    options: &Options,
    listener: &dyn Listener,
) -> Result<(), FetchError> {
    let mirrors: Vec<_> = options.mirror.iter().chain(&archive.mirrors).collect();
    let mut reasons = Vec::new();
    for mirror in &mirrors {
        let url = format!("{}/{}", mirror.trim_end_matches('/'), archive.name);
        match from_mirror(&url, archive, part, options, listener) {
            Ok(()) => return Ok(()),
            Err(Here(error)) => return Err(error),
            Err(Again(reason) | Mirror(reason)) => {
                reasons.push(format!("{url}: {reason}"));
                if reasons.len() < mirrors.len() {
                    listener.say(&format!("{reason}; trying the next mirror"));
                }
            }
        }
    }
    Err(FetchError::Mirrors { archive: archive.name.into(), reasons, npm })
}

fn from_mirror(
    url: &str,
    archive: &Archive,
    part: &Path,
    options: &Options,
    listener: &dyn Listener,
) -> Result<(), Failure> {
    let agent = agent(url, options)?;
    // A part that is not all from here may be what is wrong with the whole.
    let mut others = length(part) > 0;
    let mut failures = 0;
    listener.say(&match length(part) {
        0 => url.to_string(),
        bytes => format!("{url}, from byte {bytes}"),
    });
    loop {
        let before = length(part);
        match attempt(&agent, url, archive, part, listener) {
            Ok(()) => match check(archive, part) {
                Ok(()) => return Ok(()),
                Err(FetchError::Archive { expected, found, .. }) => {
                    remove(part)?;
                    if !others {
                        return Err(Mirror(format!("expected the archive with SHA-256 {expected}, found {found}")));
                    }
                    others = false;
                    listener
                        .say(&format!("{}: what was there does not go on like this, so all of it again", archive.name));
                    continue;
                }
                Err(error) => return Err(Here(error)),
            },
            Err(Again(reason)) => {
                failures = if length(part) > before { 1 } else { failures + 1 };
                if failures >= options.attempts {
                    return Err(Mirror(reason));
                }
                listener.say(&format!("{reason}; trying again"));
                thread::sleep(options.pause * 2u32.saturating_pow(failures - 1));
            }
            Err(other) => return Err(other),
        }
    }
}

/// One request, and what it brings.
fn attempt(agent: &Agent, url: &str, archive: &Archive, part: &Path, listener: &dyn Listener) -> Result<(), Failure> {
    if length(part) > archive.bytes {
        remove(part)?;
    }
    let have = length(part);
    if have == archive.bytes {
        return Ok(());
    }
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let response = match request.call() {
        Ok(response) => response,
        Err(ureq::Error::StatusCode(416)) => {
            remove(part)?;
            return Err(Again("it has no such range".into()));
        }
        Err(ureq::Error::StatusCode(code)) => {
            let reason = format!("the server answers {code}");
            let passing = matches!(code, 408 | 425 | 429 | 500..);
            return Err(if passing { Again(reason) } else { Mirror(reason) });
        }
        // Without a network this is what every mirror says: nobody wants to wait for it.
        Err(error) if is_lookup(&error) => return Err(Mirror("there is no such host, or no network".into())),
        Err(error @ (ureq::Error::BadUri(_) | ureq::Error::TooManyRedirects | ureq::Error::RequireHttpsOnly(_))) => {
            return Err(Mirror(error.to_string()));
        }
        Err(error) => return Err(Again(error.to_string())),
    };
    let from = start(&response, have, archive.bytes)?;
    let file = OpenOptions::new().create(true).append(from > 0).write(true).truncate(from == 0).open(part);
    let file = file.map_err(|e| Here(FetchError::at(part)(e)))?;
    receive(response, file, from, archive, part, listener)
}

/// True where the name of a host could not be resolved. The system's own error has no kind, only these words.
fn is_lookup(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::HostNotFound) || error.to_string().contains("failed to lookup address")
}

/// The byte with which an answer begins.
fn start(response: &Response<Body>, have: u64, bytes: u64) -> Result<u64, Failure> {
    let other_size = |found: u64| Mirror(format!("expected {bytes} bytes, found {found}"));
    let header = |name: &str| response.headers().get(name)?.to_str().ok();
    match response.status().as_u16() {
        // All of it, also where a part was asked for.
        200 => match response.body().content_length() {
            Some(found) if found != bytes => Err(other_size(found)),
            _ => Ok(0),
        },
        206 => {
            let range = header("content-range").and_then(|text| text.strip_prefix("bytes ")?.split_once('/'));
            let Some((first, total)) = range.and_then(|(range, total)| Some((range.split_once('-')?.0, total))) else {
                return Err(Mirror("it sends a part and does not say which".into()));
            };
            match (first.parse::<u64>(), total.parse::<u64>()) {
                (_, Ok(found)) if found != bytes => Err(other_size(found)),
                (Ok(first), _) if first == have => Ok(have),
                _ => Err(Mirror(format!("it was asked for a part from byte {have} and sends one from {first}"))),
            }
        }
        code => Err(Mirror(format!("the server answers {code}"))),
    }
}

/// Writes what comes to the end of the part.
fn receive(
    response: Response<Body>,
    mut file: File,
    from: u64,
    archive: &Archive,
    part: &Path,
    listener: &dyn Listener,
) -> Result<(), Failure> {
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 16];
    let mut have = from;
    loop {
        listener.progress(archive.name, have, archive.bytes);
        let n = body.read(&mut buffer).map_err(|e| Again(format!("it broke off after {have} bytes: {e}")))?;
        if n == 0 {
            break;
        }
        have += n as u64;
        if have > archive.bytes {
            drop(file);
            remove(part)?;
            return Err(Mirror(format!("it sends more than {} bytes", archive.bytes)));
        }
        file.write_all(&buffer[..n]).map_err(|e| Here(FetchError::at(part)(e)))?;
    }
    match have == archive.bytes {
        true => file.sync_all().map_err(|e| Here(FetchError::at(part)(e))),
        false => Err(Again(format!("it broke off after {have} of {} bytes", archive.bytes))),
    }
}

fn length(part: &Path) -> u64 {
    fs::metadata(part).map_or(0, |data| data.len())
}

fn remove(part: &Path) -> Result<(), Failure> {
    fs::remove_file(part).map_err(|e| Here(FetchError::at(part)(e)))
}

/// TLS always; only a server on this very machine may do without, and then leads nowhere else.
fn agent(url: &str, options: &Options) -> Result<Agent, Failure> {
    let config = Agent::config_builder()
        .user_agent(concat!("saltflat/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .timeout_connect(Some(options.silence))
        .timeout_recv_response(Some(options.silence))
        .timeout_per_read(Some(options.silence));
    match url {
        _ if url.starts_with("https://") => Ok(config.https_only(true).build().into()),
        _ if is_loopback(url) => Ok(config.max_redirects(0).proxy(None).build().into()),
        _ => Err(Mirror("expected an address that begins with https://".into())),
    }
}

fn is_loopback(url: &str) -> bool {
    let host = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let port = |rest: &str| rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    ["127.0.0.1", "localhost", "[::1]"].into_iter().any(|own| host.strip_prefix(own).is_some_and(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_do_without_tls() {
        for url in ["http://127.0.0.1:80/a", "http://localhost/a", "http://[::1]:9/a"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "http://example.org/a",
            "http://127.0.0.1.example.org/a",
            "http://127.0.0.1:1@example.org/a",
            "ftp://localhost/a",
            "",
        ] {
            assert!(!is_loopback(url), "{url}");
            assert!(matches!(agent(url, &Options::default()), Err(Mirror(_))), "{url}");
        }
    }
}

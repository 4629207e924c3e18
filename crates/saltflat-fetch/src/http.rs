//! Downloads over HTTP: several mirrors, several attempts, each from where the part ends that is here.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Write},
    path::Path,
    thread,
};

use saltflat_data::Archive;
use saltflat_record::open_to_append;
use ureq::{Agent, Body, http::Response};

use crate::{contents::check_archive, error::FetchError, options::Options, progress::Progress, speed::Speed};

/// Why an attempt ended.
enum Failure {
    /// The same mirror may do better.
    Again(String),
    /// It cannot send a part, and may send the whole.
    NoRange,
    /// This mirror will not do.
    Mirror(String),
    /// No mirror would do.
    Here(FetchError),
}

use Failure::{Again, Here, Mirror, NoRange};

/// A download of an archive into a file, the part.
pub(crate) struct Download<'a> {
    pub archive: &'a Archive,
    pub part: &'a Path,
    pub options: &'a Options,
    pub progress: &'a dyn Progress,
}

impl Download<'_> {
    /// Downloads the archive and checks it; `npm` says whether an error may name npm. What is there of the part is not
    /// downloaded again.
    pub fn run(&self, npm: bool) -> Result<(), FetchError> {
        let mirrors: Vec<_> = self.options.mirror.iter().chain(&self.archive.mirrors).collect();
        let mut reasons = Vec::new();
        for mirror in &mirrors {
            let url = format!("{}/{}", mirror.trim_end_matches('/'), self.archive.name);
            match self.try_mirror(&url) {
                Ok(()) => return Ok(()),
                Err(failure) => {
                    let reason = match failure {
                        Again(reason) | Mirror(reason) => reason,
                        NoRange => "it cannot send a part".into(),
                        Here(error) => return Err(error),
                    };
                    reasons.push(format!("{url}: {reason}"));
                    if reasons.len() < mirrors.len() {
                        self.progress.message(&format!("{reason}; trying the next mirror"));
                    }
                }
            }
        }
        Err(FetchError::Mirrors { archive: self.archive.name.into(), reasons, npm })
    }

    /// Downloads from one mirror. If what it sends does not go on as the part that is there, all of it is downloaded; if that is not the
    /// archive, either, the part stays for the next mirror.
    fn try_mirror(&self, url: &str) -> Result<(), Failure> {
        let part = self.part;
        let mut name = part.file_name().unwrap_or_default().to_os_string();
        name.push(".kept");
        let kept = part.with_file_name(name);
        let found = self.request(url, &kept);
        match found.is_ok() || length(&kept)? <= length(part)? {
            true => remove(&kept)?,
            false => fs::rename(&kept, part).map_err(here(part))?,
        }
        found
    }

    fn request(&self, url: &str, kept: &Path) -> Result<(), Failure> {
        let Self { archive, part, options, progress } = *self;
        let agent = agent(url, options)?;
        // A part that is not all from here may be what is wrong with the whole.
        let before = length(part)?;
        let mut others = before > 0;
        let mut failures = 0;
        // The length that counts as progress: of all attempts, since a server may send the same bytes again and again.
        let mut longest = length(part)?;
        let mut ranges = true;
        progress.message(&match longest {
            0 => url.to_string(),
            bytes => format!("{url}, from byte {bytes}"),
        });
        loop {
            match self.attempt(&agent, url, ranges) {
                Ok(()) => match check_archive(archive, part) {
                    Ok(()) => return Ok(()),
                    Err(FetchError::Archive { expected, found, .. }) => {
                        if !others {
                            remove(part)?;
                            return Err(Mirror(format!("expected the archive with SHA-256 {expected}, found {found}")));
                        }
                        others = false;
                        match before < archive.bytes {
                            true => keep(part, before, kept)?,
                            false => remove(part)?,
                        }
                        longest = 0;
                        progress.message(&format!(
                            "{}: the part that was here and the rest from this mirror are not the archive; \
                             downloading all of it",
                            archive.name
                        ));
                        continue;
                    }
                    Err(error) => return Err(Here(error)),
                },
                Err(Again(reason)) => {
                    let found = length(part)?;
                    failures = if found >= longest.saturating_add(options.progress) { 1 } else { failures + 1 };
                    longest = longest.max(found);
                    if failures >= options.attempts {
                        return Err(Mirror(reason));
                    }
                    progress.message(&format!("{reason}; trying again"));
                    thread::sleep(options.pause * 2u32.saturating_pow(failures - 1));
                }
                // Once for each mirror: without a range there is nothing to refuse.
                Err(NoRange) => ranges = false,
                Err(other) => return Err(other),
            }
        }
    }

    /// One request, and what it brings. Without `ranges` the whole archive is asked for, also if a part is there.
    fn attempt(&self, agent: &Agent, url: &str, ranges: bool) -> Result<(), Failure> {
        let Self { archive, part, .. } = *self;
        if length(part)? > archive.bytes {
            remove(part)?;
        }
        let have = length(part)?;
        if have == archive.bytes {
            return Ok(());
        }
        let mut request = agent.get(url);
        let is_part = have > 0 && ranges;
        if is_part {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let response = match request.call() {
            Ok(response) => response,
            Err(ureq::Error::StatusCode(416)) if is_part => return Err(NoRange),
            Err(ureq::Error::StatusCode(code)) => {
                let reason = format!("the server answers {code}");
                let passing = matches!(code, 408 | 425 | 429 | 500..);
                return Err(if passing { Again(reason) } else { Mirror(reason) });
            }
            // Without a network this is what every mirror says: nobody wants to wait for it.
            Err(error) if is_lookup(&error) => return Err(Mirror("there is no such host, or no network".into())),
            Err(
                error @ (ureq::Error::BadUri(_) | ureq::Error::TooManyRedirects | ureq::Error::RequireHttpsOnly(_)),
            ) => {
                return Err(Mirror(error.to_string()));
            }
            Err(error) => return Err(Again(error.to_string())),
        };
        let first = first_byte(&response, have, archive.bytes)?;
        let file = open_to_append(part).map_err(here(part))?;
        self.receive(response, file, first, have)
    }

    /// Writes what comes to the end of the part. An answer that begins at byte 0 although a part is here is read over as far as the
    /// part goes: what is here is not lost if this server breaks off earlier than the one that it came from.
    fn receive(&self, response: Response<Body>, mut file: File, first: u64, mut have: u64) -> Result<(), Failure> {
        let Self { archive, part, options, progress } = *self;
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        let mut received = first;
        let mut speed = Speed::new(options);
        loop {
            progress.advance(archive.name, have, archive.bytes);
            let n = body.read(&mut buffer).map_err(|e| Again(format!("it broke off after {received} bytes: {e}")))?;
            if n == 0 {
                break;
            }
            // Another attempt would be no faster.
            speed.add(n).map_err(Mirror)?;
            let known = usize::try_from(have.saturating_sub(received)).unwrap_or(usize::MAX).min(n);
            received += n as u64;
            if received > archive.bytes {
                drop(file);
                remove(part)?;
                return Err(Mirror(format!("it sends more than {} bytes", archive.bytes)));
            }
            file.write_all(&buffer[known..n]).map_err(here(part))?;
            have = have.max(received);
        }
        match received == archive.bytes {
            true => file.sync_all().map_err(here(part)),
            false => Err(Again(format!("it broke off after {received} of {} bytes", archive.bytes))),
        }
    }
}

/// True if the name of a host could not be resolved. The system's own error has no kind, only these words.
fn is_lookup(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::HostNotFound) || error.to_string().contains("failed to lookup address")
}

/// The byte with which an answer begins: 0, or the length of the part that is here.
fn first_byte(response: &Response<Body>, have: u64, bytes: u64) -> Result<u64, Failure> {
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

fn here(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let at = FetchError::at(path);
    move |e| Here(at(e))
}

/// Bytes of the part that are here; 0 if there is none.
fn length(part: &Path) -> Result<u64, Failure> {
    match fs::metadata(part) {
        Ok(data) => Ok(data.len()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(0),
        Err(e) => Err(here(part)(e)),
    }
}

/// Moves the first bytes of a part to where they are kept.
fn keep(part: &Path, bytes: u64, kept: &Path) -> Result<(), Failure> {
    let file = open_to_append(part).and_then(|file| file.set_len(bytes));
    file.and_then(|()| fs::rename(part, kept)).map_err(here(part))
}

fn remove(part: &Path) -> Result<(), Failure> {
    match fs::remove_file(part) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(here(part)(e)),
        _ => Ok(()),
    }
}

/// TLS always; only a server on this very machine may do without, and then leads nowhere else.
fn agent(url: &str, options: &Options) -> Result<Agent, Failure> {
    let config = Agent::config_builder()
        .user_agent(concat!("saltflat/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .timeout_resolve(Some(options.silence))
        .timeout_connect(Some(options.silence))
        .timeout_send_request(Some(options.silence))
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

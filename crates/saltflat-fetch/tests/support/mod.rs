//! A small set, and a server on this machine that behaves as it is told.
#![allow(dead_code, clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use saltflat_data::Published;
use saltflat_fetch::{Archive, FetchError, Fetched, NoProgress, OfficialSet, Options, Packing, Source, get};

/// Bytes that do not compress.
pub fn bytes(n: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..n).map(|_| next()).collect()
}

pub fn sha256(bytes: &[u8]) -> &'static str {
    Box::leak(saltflat_record::sha256_hex(bytes).into_boxed_str())
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A compressed tar file of these files.
pub fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    gzip(&builder.into_inner().unwrap())
}

pub const A: usize = 300_000;
pub const B: usize = 1_000;

pub fn published(name: &'static str, content: &[u8], gzip: bool) -> Published {
    Published { name, bytes: content.len() as u64, sha256: Some(sha256(content)), gzip }
}

/// A set of two files in one archive, and the archive.
pub fn small(mirrors: &[&Server]) -> (OfficialSet, Vec<u8>) {
    let (a, b) = (bytes(A, 1), bytes(B, 2));
    let archive = tar_gz(&[("set-bin/readme.html", b"<p>"), ("set-bin/a.bin", &a), ("set-bin/b.bin", &b)]);
    let files = vec![published("a.bin", &a, false), published("b.bin", &b, false)];
    (set(files, "set.tar.gz", &archive, Packing::TarGz("set-bin"), mirrors), archive)
}

pub fn set(
    files: Vec<Published>,
    name: &'static str,
    archive: &[u8],
    packing: Packing,
    mirrors: &[&Server],
) -> OfficialSet {
    let mirrors = mirrors.iter().map(|server| server.address.clone()).collect();
    let archive = Archive { name, bytes: archive.len() as u64, sha256: sha256(archive), mirrors, packing };
    OfficialSet {
        name: "small",
        about: "",
        folders: vec!["small", "set-bin"],
        files,
        archives: vec![archive],
        package: None,
    }
}

/// Patience of tests.
pub fn options() -> Options {
    let (pause, silence) = (Duration::from_millis(1), Duration::from_secs(20));
    Options { attempts: 3, progress: 10_000, pause, silence, ..Options::default() }
}

pub fn fetched(set: &OfficialSet, data: &Path, source: &Source) -> Result<Fetched, FetchError> {
    get(set, data, source, &options(), &NoProgress)
}

/// Both files of the small set are there and right, and nothing else is but the lock.
pub fn is_whole(data: &Path) {
    let folder = data.join("small");
    assert_eq!(std::fs::read(folder.join("a.bin")).unwrap(), bytes(A, 1));
    assert_eq!(std::fs::read(folder.join("b.bin")).unwrap(), bytes(B, 2));
    assert_eq!(names(&folder), ["a.bin", "b.bin", "lock"]);
}

/// What lies in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// How a server answers.
#[derive(Clone)]
pub enum Reply {
    /// The content, or the part of it that is asked for.
    Content,
    /// The same, and breaks off after so many bytes.
    Cut(usize),
    /// All of the content, whatever is asked for; breaks off after so many bytes.
    Whole(usize),
    /// All of the content; 416 if a part is asked for.
    NoRanges,
    /// The content, or the part of it that is asked for, a byte at a time with this pause after each.
    Slow(Duration),
    /// Other content.
    Other(Vec<u8>),
    /// Content without an end.
    Endless,
    /// An error.
    Status(u16),
    /// A part that was not asked for.
    WrongRange,
    /// Nothing.
    Silence,
}

/// A path, and the range that was asked for.
type Request = (String, Option<String>);

pub struct Server {
    pub address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Serves this content under every path; the replies in turn, the last one for ever.
    pub fn new(content: &[u8], replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/data/", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, content, replies) = (requests.clone(), content.to_vec(), replies.to_vec());
        thread::spawn(move || {
            let mut held = Vec::new();
            for (n, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let request = request(&stream);
                let range = request.1.clone();
                seen.lock().unwrap().push(request);
                let reply = replies[n.min(replies.len() - 1)].clone();
                if let Reply::Silence = reply {
                    held.push(stream);
                    continue;
                }
                // The other side may have had enough.
                let _ = answer(&mut stream, &reply, range.as_deref(), &content);
            }
        });
        Self { address, requests }
    }

    /// The range of every request so far, each for the archive.
    pub fn ranges(&self) -> Vec<Option<String>> {
        let requests = self.requests.lock().unwrap();
        assert!(requests.iter().all(|(path, _)| path == "/data/set.tar.gz"), "{requests:?}");
        requests.iter().map(|(_, range)| range.clone()).collect()
    }
}

fn request(stream: &TcpStream) -> Request {
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty());
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_string();
    let range = lines.filter_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_string)).last();
    (path, range)
}

fn answer(stream: &mut TcpStream, reply: &Reply, range: Option<&str>, content: &[u8]) -> std::io::Result<()> {
    if let Reply::Slow(pause) = reply {
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", content.len())?;
        for byte in content {
            stream.write_all(&[*byte])?;
            thread::sleep(*pause);
        }
        return Ok(());
    }
    let from: usize = range.map_or(0, |range| range.trim_end_matches('-').parse().unwrap());
    let total = content.len();
    let mut head =
        |status: &str, headers: &str| write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n");
    let length = |n: usize| format!("Content-Length: {n}\r\n");
    let body = match reply {
        Reply::Content | Reply::Cut(_) if from > total => {
            head("416 Range Not Satisfiable", &length(0))?;
            &[]
        }
        Reply::Content | Reply::Cut(_) => {
            let (status, range) = match range {
                None => ("200 OK", String::new()),
                Some(_) => ("206 Partial Content", format!("Content-Range: bytes {from}-{}/{total}\r\n", total - 1)),
            };
            head(status, &(range + &length(total - from)))?;
            let most = if let Reply::Cut(n) = reply { *n } else { total };
            &content[from..(from + most).min(total)]
        }
        Reply::NoRanges if range.is_some() => {
            head("416 Range Not Satisfiable", &length(0))?;
            &[]
        }
        Reply::NoRanges => {
            head("200 OK", &length(total))?;
            content
        }
        Reply::Whole(most) => {
            head("200 OK", &length(total))?;
            &content[..(*most).min(total)]
        }
        Reply::Other(other) => {
            head("200 OK", &length(other.len()))?;
            &other[..]
        }
        Reply::Endless => {
            head("200 OK", "")?;
            stream.write_all(content)?;
            &[0; 100]
        }
        Reply::Status(status) => {
            head(&format!("{status} No"), &length(0))?;
            &[]
        }
        Reply::WrongRange => {
            head(
                "206 Partial Content",
                &format!("Content-Range: bytes 7-{}/{total}\r\n{}", total - 1, length(total - 7)),
            )?;
            &content[7..]
        }
        Reply::Silence | Reply::Slow(_) => &[],
    };
    stream.write_all(body)
}

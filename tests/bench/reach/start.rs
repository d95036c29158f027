//! The shipped binary over a file with very many open items: how long until it serves, and how much memory it takes, also when it has
//! looked through all of them.

use super::{Error, cpu_seconds, filled, texts};
use duban::store::Place;
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub async fn run(folder: &Path, short: bool) -> Result<(), Error> {
    let (items, rounds) = if short { (20_000, 1) } else { (1_000_000, 5) };
    println!("start: the shipped binary over {items} open items, SQLite");
    let file = folder.join("start.db");
    filled(&Place::File(file.clone()), items, items * 2, duban::generate::LIVES).await?;
    let rules = folder.join("rules");
    for (path, text) in texts()? {
        let path = rules.join(path.trim_start_matches("../"));
        std::fs::create_dir_all(path.parent().unwrap_or(&rules))?;
        std::fs::write(path, text)?;
    }
    let mut starts = Vec::new();
    for round in 0..rounds {
        let mut server = Server::start(&file, &rules)?;
        starts.push(server.ready.as_secs_f64() * 1000.0);
        println!("  ready after {:.0} ms, with {:.0} MB", starts[round], server.memory("VmRSS"));
        if round + 1 == rounds {
            look_through(&server, items)?;
        }
        server.stop()?;
    }
    let ready = super::median(&mut starts);
    println!("  ready: median {ready:.0} ms (bar 200)");
    println!("  {}", json!({ "bench": "start", "items": items, "ready_ms": ready, "min": starts[0], "max": starts[starts.len() - 1] }));
    Ok(())
}

/// Waits until it has looked through everything.
fn look_through(server: &Server, items: u64) -> Result<(), Error> {
    let begun = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let state = server.ask("/healthz")?;
        let look = state["integrity"]["state"].as_str().unwrap_or_default().to_string();
        if look == "under_way" {
            continue;
        }
        let (now, most) = (server.memory("VmRSS"), server.memory("VmHWM"));
        let (seconds, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds(&server.process.id().to_string()));
        println!("  looked through {items} items in {seconds:.1} s, {cpu:.1} s CPU ({look}): {now:.0} MB, at most {most:.0} MB (bar 200)");
        println!(
            "  {}",
            json!({ "bench": "memory", "items": items, "look": look, "rss_mb": now, "most_mb": most, "seconds": seconds, "cpu_seconds": cpu })
        );
        return Ok(());
    }
}

struct Server {
    process: Child,
    address: String,
    /// How long it took until it served.
    ready: Duration,
}

impl Server {
    fn start(file: &Path, rules: &Path) -> Result<Server, Error> {
        let begun = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_duban"));
        command.arg("--json").arg("--database").arg(file).arg("--rules").arg(rules).args(["serve", "--listen", "127.0.0.1:0"]);
        let mut process = command.current_dir(rules).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let ready = begun.elapsed();
        let told: serde_json::Value = serde_json::from_str(&line)?;
        Ok(Server { process, address: told["address"].as_str().ok_or("it says where it listens")?.to_string(), ready })
    }

    fn ask(&self, path: &str) -> Result<serde_json::Value, Error> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").ok_or("no body")?.1;
        Ok(serde_json::from_str(body)?)
    }

    /// In megabytes, as the kernel counts them.
    fn memory(&self, which: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(which)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    }

    fn stop(&mut self) -> Result<(), Error> {
        Command::new("kill").arg(self.process.id().to_string()).status()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already, unless something failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

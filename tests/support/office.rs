//! The shipped `duban serve` over a small office in which mail leaves at any hour: started, asked over its API, killed or stopped.

use super::rule_set::files_of;
use duban::app::{App, Done, rules_in_use};
use duban::clock::Clock;
use duban::kernel::model::command::Command;
use duban::kernel::model::value::Value;
use duban::kernel::rules::RuleSet;
use duban::store::{Opening, Place, Store};
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What opens the API for the whole office.
const TOKEN: &str = "of-the-office";

/// A folder with the office's rules and settings, and where its database is.
pub struct Office {
    pub folder: tempfile::TempDir,
    /// On a PostgreSQL server, instead of a file in the folder.
    pub server: Option<String>,
}

/// One life of the server.
pub struct Life {
    process: Child,
    /// What it said of itself.
    pub ready: serde_json::Value,
    pub asking: Asking,
}

/// Somebody at the server's door.
#[derive(Clone)]
pub struct Asking {
    address: String,
}

/// It ended before it was ready, or was stopped: with this code, and these were its words.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub told: String,
}

/// What came of a command.
#[derive(Debug)]
pub enum Reply {
    Done(Done),
    No(No),
    /// No answer came, or half of one.
    Nothing,
}

/// What its *no* says.
#[derive(Debug, serde::Deserialize)]
pub struct No {
    pub status: u16,
    pub code: String,
    pub detail: String,
}

impl Office {
    pub fn on_file() -> Office {
        Office::new(None)
    }

    pub fn on_server(url: String) -> Office {
        Office::new(Some(url))
    }

    fn new(server: Option<String>) -> Office {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |path: &str, text: String| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("has a folder")).expect("a folder");
            std::fs::write(path, text).expect("is written");
        };
        let fixtures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/office"));
        for (path, text) in files_of(fixtures) {
            let open = "send_window: every day 00:00-24:00";
            write(&format!("rules/{path}"), text.replace("send_window: working days 09:00-17:00", open));
        }
        let digest: String = Sha256::digest(TOKEN).iter().map(|byte| format!("{byte:02x}")).collect();
        write("duban.yaml", format!("rules: rules\ndatabase: data/duban.db\noffice_tokens: ['{digest}']\nmail: {{ volume_factor: 0 }}\n"));
        std::fs::create_dir(folder.path().join("data")).expect("a folder");
        Office { folder, server }
    }

    /// The folder in which its files lie, and nothing else.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn place(&self) -> Place {
        match &self.server {
            Some(url) => url.parse().expect("an address"),
            None => Place::File(self.data().join("duban.db")),
        }
    }

    /// A command of the shipped program, as typed in the folder.
    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_duban"));
        command.args(arguments).current_dir(self.folder.path()).env_clear().env("DUBAN_LANG", "en");
        command.envs(self.server.iter().map(|url| ("DATABASE_URL", url)));
        command
    }

    /// Starts the server and waits until it says that it is ready.
    pub async fn start(&self, prepare: impl FnOnce(&mut std::process::Command)) -> Result<Life, Ended> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).expect("a log");
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--json"]);
        prepare(&mut command);
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().expect("the program starts");
        let out = process.stdout.take().expect("is piped");
        let ready = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(out).read_line(&mut line).map(|_| line)
        });
        let ready = ready.await.expect("reads").expect("reads");
        let ready: serde_json::Value = serde_json::from_str(&ready).unwrap_or_default();
        match ready["address"].as_str().map(str::to_string) {
            Some(address) => Ok(Life { process, ready, asking: Asking { address } }),
            None => Err(Ended { code: process.wait().expect("ends").code(), told: self.log() }),
        }
    }

    /// What all its servers have said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Its database in this process, once nobody else holds it.
    pub async fn open(&self) -> Arc<App> {
        open(self.place()).await.expect("opens").expect("has rules")
    }
}

/// A database in this process, under the rules it carries; nothing when it carries none yet.
pub async fn open(place: Place) -> Result<Option<Arc<App>>, String> {
    static RULES: Mutex<Option<Arc<RuleSet>>> = Mutex::new(None);
    let now = Clock::Machine.now();
    let opening = Opening { new_instance: "unused".into(), page_limit: None, throwaway: false };
    let store = Store::open(place, opening, now).await.map_err(|error| error.to_string())?;
    let Some(stored) = store.rules_in_use().await.map_err(|error| error.to_string())? else {
        store.close().await;
        return Ok(None);
    };
    let known = RULES.lock().expect("is free").clone().filter(|rules| *rules.hash == *stored.hash);
    let rules = match known {
        Some(rules) => rules,
        None => rules_in_use(&store).await.map_err(|error| error.to_string())?,
    };
    *RULES.lock().expect("is free") = Some(rules.clone());
    // Every life began a little later than the last one ended.
    let latest = store.high_water().await.map_err(|error| error.to_string())?;
    let clock = Clock::set_to(latest.unwrap_or(now).max(now));
    let app = App::open(store, rules, clock).await.map_err(|error| error.to_string())?;
    Ok(Some(Arc::new(app)))
}

impl Life {
    /// As a fault of the machine would end it.
    pub fn kill(&mut self) {
        // One that has ended is past killing.
        let _ = self.process.kill();
        self.process.wait().expect("ends");
    }

    /// Waits until it has ended by itself, and gives the exit code; nothing when a signal ended it.
    pub async fn ends(mut self) -> Option<i32> {
        tokio::task::spawn_blocking(move || self.process.wait().expect("ends").code()).await.expect("waits")
    }

    /// Asks it to stop, and waits; gives the exit code, or nothing when a signal ended it.
    pub fn stop(mut self) -> Option<i32> {
        let asked = std::process::Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(asked.is_ok_and(|status| status.success()), "it can be asked");
        self.process.wait().expect("ends").code()
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // After a failed assertion.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Asking {
    /// Does a command, under its own id.
    pub async fn act(&self, command: &Command) -> Reply {
        let mut body = serde_json::json!({ "input": command.input, "by": command.by });
        if let Some(day) = command.effective_on {
            body["on"] = day.to_string().into();
        }
        let path = format!("/api/v1/items/{}/actions/{}", command.item, command.action);
        let (status, body) = self.ask("POST", &path, &format!("idempotency-key: {}\r\n", command.id), &body.to_string()).await;
        if status == 200 {
            let Ok(answer) = serde_json::from_str::<serde_json::Value>(&body) else { return Reply::Nothing };
            let repeated = answer["repeated"] == true;
            return serde_json::from_value(answer).map_or(Reply::Nothing, |done| Reply::Done(Done { repeated, ..done }));
        }
        serde_json::from_str(&body).map_or(Reply::Nothing, Reply::No)
    }

    /// Status and body; status 0 when no answer came.
    pub async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let talk = async {
            let mut stream = TcpStream::connect(&self.address).await?;
            let head = format!(
                "{method} {path} HTTP/1.1\r\nhost: duban\r\nconnection: close\r\nauthorization: Bearer {TOKEN}\r\naccept-language: en\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = talk.await.unwrap_or_default();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        match answer.split_once("\r\n\r\n") {
            Some((_, body)) => (status, body.to_string()),
            None => (0, String::new()),
        }
    }
}

/// The commands on one item: handed in weeks ago, so that it is late at once, weighed, and every other one answered.
pub fn commands(item: &str, number: u64) -> Vec<Command> {
    use super::world::{command, submit};
    let weeks_ago = (Clock::Machine.now() - chrono::TimeDelta::days(40)).date_naive();
    let mut commands = vec![Command { effective_on: Some(weeks_ago), ..submit(item) }];
    for weight in 1..4 {
        let mut weigh = command(item, "weigh", "carl", [("weight", Value::Number(weight))]);
        weigh.id = format!("{item} weigh {weight}").into();
        commands.push(weigh);
    }
    if number.is_multiple_of(2) {
        commands.push(command(item, "answer", "carl", []));
    }
    commands
}

/// A number from the environment, for a longer run.
pub fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

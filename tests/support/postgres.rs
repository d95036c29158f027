//! A PostgreSQL server of our own: started once for the whole run from what is installed, with a database for each test, gone with us.

use super::disk::LIBRARY;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A server with its data in a temporary folder. When this process ends, however it does, the folder and the server go too.
pub struct Server {
    folder: PathBuf,
    tools: PathBuf,
    /// The user under whom it runs, when we are one whom it refuses.
    user: Option<String>,
    /// Its disk can be made full.
    small: bool,
    /// Waits for the end of its standard input, then cleans up.
    guard: Option<Child>,
}

/// The server that tests share.
pub static SHARED: LazyLock<Server> = LazyLock::new(Server::start);

impl Server {
    /// A server of one's own, for what would disturb others.
    pub fn start() -> Server {
        Server::begin(false)
    }

    /// One on a disk that can be made full.
    pub fn on_a_small_disk() -> Server {
        Server::begin(true)
    }

    fn begin(small: bool) -> Server {
        let tools = tools();
        let root = text(Command::new("id").arg("-u")) == "0";
        let user = root.then(|| match Command::new("id").arg("postgres").output() {
            Ok(output) if output.status.success() => "postgres".to_string(),
            _ => "nobody".to_string(),
        });
        let folder = tempfile::Builder::new().prefix("duban-pg-").tempdir().expect("a temporary folder").keep();
        if let Some(user) = &user {
            succeeds(Command::new("chown").arg(user).arg(&folder));
        }
        if small {
            // Where the other user can read it.
            std::fs::copy(&*LIBRARY, folder.join("libdisk.so")).expect("is copied");
        }
        let mut server = Server { folder, tools, user, small, guard: None };
        let mut initdb = server.command("initdb");
        initdb.args(["--username=duban", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]);
        succeeds(initdb.arg("--pgdata").arg(server.data()));
        let cleaning = format!(
            "read -r _; '{}' -D '{}' -m immediate stop >/dev/null 2>&1; rm -rf '{}'",
            server.tools.join("pg_ctl").display(),
            server.data().display(),
            server.folder.display()
        );
        let guard = server.run_as("sh").args(["-c", &cleaning]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        server.guard = Some(guard.expect("a shell runs"));
        server.go();
        server
    }

    /// Starts it again, after it was stopped.
    pub fn go(&self) {
        succeeds(&mut self.starting());
    }

    fn starting(&self) -> Command {
        let options = format!("-k '{}' -c listen_addresses='' -c max_connections=400", self.folder.display());
        let mut start = self.command("pg_ctl");
        start.args(["--wait", "--silent", "--options", &options, "--pgdata"]).arg(self.data());
        if self.small {
            start
                .env("LD_PRELOAD", self.folder.join("libdisk.so"))
                .env("DISK_FOLDER", self.data())
                .env("DISK_FULL", self.folder.join("full"));
        }
        start.arg("--log").arg(self.folder.join("log")).arg("start").stdin(Stdio::null()).stdout(Stdio::null());
        start
    }

    /// Stops it as a crash would.
    pub fn crash(&self) {
        succeeds(
            self.command("pg_ctl").arg("--pgdata").arg(self.data()).args(["--mode=immediate", "--silent", "stop"]).stdout(Stdio::null()),
        );
    }

    /// From now on there is no room left on its disk.
    pub fn fill_the_disk(&self) {
        assert!(self.small, "its disk is everybody's");
        std::fs::write(self.folder.join("full"), "").expect("is written");
    }

    pub fn make_room(&self) {
        std::fs::remove_file(self.folder.join("full")).expect("was full");
    }

    /// As an administrator would: starts it when it is down. One that is just going down is left to the next look.
    pub fn see_that_it_runs(&self) {
        let asked = self.command("pg_ctl").arg("--pgdata").arg(self.data()).arg("status").stdin(Stdio::null()).output();
        if !asked.expect("can be asked").status.success() {
            let _ = self.starting().output().expect("can be tried");
        }
    }

    /// What it has written into its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).expect("has a log")
    }

    /// From now on everybody but one needs a password.
    pub fn asks_for_passwords_of_all_but(&self, user: &str) {
        let rules = format!("local all {user} trust\nlocal all all scram-sha-256\n");
        std::fs::write(self.data().join("pg_hba.conf"), rules).expect("writes");
        succeeds(self.command("pg_ctl").arg("--pgdata").arg(self.data()).args(["--silent", "reload"]).stdout(Stdio::null()));
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, tool: &str) -> Command {
        self.run_as(&self.tools.join(tool).display().to_string())
    }

    fn run_as(&self, program: &str) -> Command {
        let mut command = match &self.user {
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args([
                    &format!("--reuid={user}"),
                    "--regid",
                    &text(Command::new("id").args(["-g", user])),
                    "--clear-groups",
                    program,
                ]);
                command
            }
            None => Command::new(program),
        };
        command.current_dir(&self.folder);
        command
    }

    /// The address of a database, for somebody called `user`.
    pub fn url_as(&self, user: &str, database: &str) -> String {
        let host = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://{user}@{host}/{database}")
    }

    pub fn url(&self, database: &str) -> String {
        self.url_as("duban", database)
    }

    /// Makes an empty database; gives its address.
    pub async fn database(&self) -> String {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let name = format!("office{}", LAST.fetch_add(1, Ordering::Relaxed));
        run(&self.url("postgres"), &format!("create database {name}")).await;
        self.url(&name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
    }
}

/// Runs a statement of the test's own.
pub async fn run(url: &str, statement: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    connection.execute(AssertSqlSafe(statement.to_string())).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    connection.close().await.expect("closes");
}

/// Where PostgreSQL's programs are.
fn tools() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    let on_the_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let all = folders.into_iter().rev().chain(on_the_path);
    let whole = |folder: &PathBuf| ["initdb", "pg_ctl", "postgres"].iter().all(|tool| Path::new(folder).join(tool).is_file());
    all.into_iter().find(whole).expect("PostgreSQL is installed (the Debian package is called postgresql)")
}

fn text(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

fn succeeds(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {} {told}", String::from_utf8_lossy(&output.stdout));
}

//! The unit that `duban unit` writes, under a systemd of its own: the shipped program starts within that profile, takes a command, sends a
//! mail, is backed up and stops; and within the same profile nothing else can be written, opened or become.
//!
//! It takes root, as a machine that boots has it, and Debian's `systemd`, `util-linux` and `python3`.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Nothing here takes so long on any machine.
const BOUND: Duration = Duration::from_secs(60);

/// What is tried within the profile, a line of the answer each.
const PROBE: &str = r#"
writes() { if touch "$1/tried" 2>/dev/null; then echo "writes $1"; rm -f "$1/tried"; fi; }
for folder in /opt/office/data /opt/office/mails /opt/office /opt/office/rules /opt /etc /usr /var /root /run /dev; do writes $folder; done
echo here > /tmp/of-the-service && echo "has a /tmp of its own"
grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\t'
id -un
ls /dev/vda /dev/sda /dev/mem /dev/kmsg 2>/dev/null
python3 - <<'END'
import ctypes, mmap, socket
def tried(what, act):
    try:
        act()
        print("can", what)
    except (OSError, PermissionError):
        print("cannot", what)
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
tried("talk to the world", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).close())
tried("listen to the wire", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close())
tried("talk to the kernel", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close())
tried("have a namespace", lambda: call("unshare", 0x10000000))
tried("mount", lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None))
tried("set the clock", lambda: call("settimeofday", (ctypes.c_long * 2)(0, 0), None))
tried("run what it wrote", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC))
tried("become root", lambda: call("setuid", 0))
END
"#;

/// A process that is ended by its id when the test ends.
struct Machine {
    outer: std::process::Child,
    systemd: String,
}

impl Machine {
    fn start(office: &Path, user: &str) -> Machine {
        let id = Command::new("id").arg("-u").output().expect("asks who we are");
        assert_eq!(String::from_utf8_lossy(&id.stdout).trim(), "0", "only root may start a systemd of its own: run this test as root");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/systemd.sh");
        assert!(Path::new("/usr/lib/systemd/systemd").exists(), "systemd is not installed (the Debian package is called systemd)");
        let told = std::fs::File::create(office.join("told")).unwrap();
        let mut outer = Command::new("sh")
            .arg(script)
            .args([env!("CARGO_BIN_EXE_duban").as_ref(), office.as_os_str(), user.as_ref()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(told)
            .spawn()
            .unwrap();
        // The child of `unshare`, which becomes systemd.
        let children = format!("/proc/{0}/task/{0}/children", outer.id());
        let begun = Instant::now();
        let systemd = loop {
            let told = || std::fs::read_to_string(office.join("told")).unwrap();
            assert!(outer.try_wait().unwrap().is_none() && begun.elapsed() < BOUND, "no systemd: {}", told());
            let child = std::fs::read_to_string(&children).unwrap_or_default().trim().to_string();
            let name = std::fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
            if name.trim() == "systemd" {
                break child;
            }
            std::thread::yield_now();
        };
        Machine { outer, systemd }
    }

    /// A command on it, by its administrator.
    fn run(&self, command: &str) -> Output {
        let mut inside = Command::new("nsenter");
        inside.args(["-t", &self.systemd, "--mount", "--pid", "--uts", "--ipc", "timeout", "60", "sh", "-c", command]);
        inside.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("DUBAN_LANG", "en").stdin(Stdio::null()).output().unwrap()
    }

    /// What a command that has to succeed has said.
    fn says(&self, command: &str) -> String {
        let output = self.run(command);
        let how = || String::from_utf8_lossy(&self.run("systemctl --no-pager --lines=0 status duban backup probe").stdout).into_owned();
        assert!(output.status.success(), "{command}: {output:?}\n{}", how());
        String::from_utf8(output.stdout).unwrap().trim().to_string()
    }

    fn until(&self, command: &str) -> String {
        let begun = Instant::now();
        loop {
            let output = self.run(command);
            if output.status.success() {
                return String::from_utf8(output.stdout).unwrap().trim().to_string();
            }
            assert!(begun.elapsed() < BOUND, "{command}: {output:?}\n{}", self.says("systemctl --no-pager show duban"));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its child, the first process of its namespaces, goes with it.
        let _ = self.outer.kill();
        let _ = self.outer.wait();
    }
}

#[test]
fn the_unit_runs_under_systemd_and_reaches_nothing_but_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let office = folder.path();
    for (path, text) in crate::support::rule_set::files_of(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/office"))) {
        let path = office.join("rules").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let open = "send_window: every day 00:00-24:00";
        std::fs::write(path, text.replace("send_window: working days 09:00-17:00", open)).unwrap();
    }
    let settings = "rules: rules\ndatabase: data/duban.db\nlisten: 127.0.0.1:0\nmail:\n  folder: mails\n  from: duban@example.com\n";
    std::fs::write(office.join("duban.yaml"), settings).unwrap();
    std::fs::write(office.join("probe.sh"), PROBE).unwrap();
    let machine = Machine::start(office, "daemon");

    // It has told that it is ready, or it would not be active.
    machine.until("systemctl is-active --quiet duban");
    let duban = |arguments: &str| format!("cd /opt/office && /opt/duban {arguments}");
    machine.says(&duban("act r1 submit --as ann --with title=x --on 2026-03-02"));
    let late = machine.until("grep -l '^To: .*@example.com' /opt/office/mails/*.eml");
    assert!(late.contains("/opt/office/mails/"), "{late}");
    machine.says("systemctl start backup");
    let backup = machine.says("cat /opt/office/data/backup");
    assert!(backup.contains(r#""items":1"#) && backup.contains(r#""damaged":0"#), "{backup}");
    assert_eq!(machine.says("stat -c '%U %a' /opt/office/data/duban.db /opt/office/data/copy.db"), "daemon 600\ndaemon 600");

    machine.says("systemctl start probe");
    let probed = machine.says("cat /opt/office/data/probe");
    let expected = [
        "writes /opt/office/data",
        "writes /opt/office/mails",
        "has a /tmp of its own",
        "NoNewPrivs:1",
        "CapBnd:0000000000000000",
        "CapEff:0000000000000000",
        "Seccomp:2",
        "daemon",
        "can talk to the world",
        "cannot listen to the wire",
        "cannot talk to the kernel",
        "cannot have a namespace",
        "cannot mount",
        "cannot set the clock",
        "cannot run what it wrote",
        "cannot become root",
    ];
    let lines = |text: &str| text.lines().map(str::to_string).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(lines(&probed), lines(&expected.join("\n")));
    assert!(!machine.run("test -e /tmp/of-the-service").status.success(), "its /tmp is nobody else's");

    machine.says("systemctl stop duban");
    assert_eq!(machine.says("systemctl show -P Result -P ExecMainStatus duban"), "success\n0");
    assert_eq!(machine.says("stat -c %s /opt/office/data/duban.db.lock"), "0", "it ended in good order");
}

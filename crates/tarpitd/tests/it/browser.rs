//! A page as a real browser has it.

use std::{
    io::{self, BufRead as _, BufReader, PipeReader, PipeWriter, Write as _},
    process::{Child, Command, Stdio},
};

use command_fds::{CommandFdExt as _, FdMapping};
use serde_json::{Value, json};

use crate::daemon::Directory;

/// What a client types wherever something may be typed; it would act as HTML, in an attribute, and
/// at the end of a script.
pub(crate) const TRAP: &str = "<script>document.title='caught'</script>\"'&<img/src=x>";

/// The page in its state after two seconds, as text; the browser complained of nothing.
#[track_caller]
pub(crate) fn shown_by_browser(directory: &Directory, url: &str) -> String {
    let output = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .args(["--disable-background-networking", "--enable-logging=stderr", "--timeout=2000"])
        .arg(format!("--user-data-dir={}", directory.path("chromium")))
        .args(["--dump-dom", url])
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!told.contains(":CONSOLE"), "{told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A browser with one page, which a test looks into and types at, by Chromium's
/// protocol for that.
pub(crate) struct Browser {
    program: Child,
    commands: PipeWriter,
    answers: BufReader<PipeReader>,
    /// The session of the page, once there is one.
    session: Option<String>,
    asked: u64,
}

impl Browser {
    /// A browser that shows this page in a window of that width and height.
    pub(crate) fn open(directory: &Directory, url: &str, [width, height]: [u32; 2]) -> Self {
        let (to_browser, commands) = io::pipe().expect("a pipe");
        let (answers, from_browser) = io::pipe().expect("a pipe");
        // The browser reads commands from 3 and writes answers to 4.
        let mappings = [(to_browser.into(), 3), (from_browser.into(), 4)];
        let mappings = mappings.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd });
        let mut command = Command::new("chromium");
        command
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-background-networking", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", directory.path("chromium")))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let program = command
            .fd_mappings(mappings.into())
            .expect("two descriptors")
            .spawn()
            .expect("it runs");
        drop(command);
        let answers = BufReader::new(answers);
        let mut browser = Self { program, commands, answers, session: None, asked: 0 };
        let targets = browser.ask("Target.getTargets", &json!({}));
        let mut targets = targets["targetInfos"].as_array().expect("a list").iter();
        let page = targets.find(|target| target["type"] == "page").expect("a page");
        let how = json!({ "targetId": page["targetId"], "flatten": true });
        let session = browser.ask("Target.attachToTarget", &how);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        browser.resize([width, height]);
        browser.ask("Page.navigate", &json!({ "url": url }));
        browser
    }

    /// Gives the window another width and height.
    pub(crate) fn resize(&mut self, [width, height]: [u32; 2]) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", &size);
    }

    /// What a script in the page comes to, also later.
    pub(crate) fn evaluate(&mut self, script: &str) -> Value {
        let what = json!({ "expression": script, "returnByValue": true, "awaitPromise": true });
        self.ask("Runtime.evaluate", &what)["result"]["value"].take()
    }

    /// Presses the Tab key.
    pub(crate) fn tab(&mut self) {
        for kind in ["keyDown", "keyUp"] {
            let key = json!({ "type": kind, "key": "Tab", "windowsVirtualKeyCode": 9 });
            self.ask("Input.dispatchKeyEvent", &key);
        }
    }

    /// What a reader of the screen is told of: each thing with its role and its name.
    pub(crate) fn accessible(&mut self) -> Vec<Value> {
        let tree = self.ask("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().expect("a list").iter();
        nodes.filter(|node| node["ignored"] == false).cloned().collect()
    }

    /// The browser's answer.
    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.asked += 1;
        let mut command = json!({ "id": self.asked, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        let command = command.to_string() + "\0";
        self.commands.write_all(command.as_bytes()).expect("it listens");
        loop {
            let mut answer = Vec::new();
            self.answers.read_until(0, &mut answer).expect("an answer");
            answer.pop().expect("the browser still runs");
            let mut answer: Value = serde_json::from_slice(&answer).expect("JSON");
            if answer["id"] == self.asked {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

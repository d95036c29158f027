// The list of stories, nothing else: one process, one server, one browser.

import "./everywhere.mjs";
import "./work.mjs";
import "./keyboard.mjs";
import "./refused.mjs";
import "./paper.mjs";
import "./english.mjs";
import "./programs.mjs";
import "./rules.mjs";

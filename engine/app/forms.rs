//! Forms of an item for somebody who looks at it.

use super::App;
use super::look::Look;
use crate::files;
use crate::kernel::form::{self, FormError};

impl App {
    /// The page of a form, by its name or title. `branch` says of which one, where it is of a kind that the item has several of.
    pub fn form(&self, look: &Look, name: &str, branch: Option<&str>) -> Result<String, FormError> {
        let workflow = &look.rules.setting.workflow;
        let (form, reader) = (form::find(workflow, name)?, look.reader());
        let task = form::task(&reader, form, branch)?;
        let rules = self.rules();
        // A set without it is refused; but another may have been published since the item was looked up.
        let wording = rules.templates.get(form.file().as_str()).ok_or_else(|| form::unknown(workflow, name))?;
        form::page(&reader, form, task, wording, files::FORM_FRAME)
    }
}

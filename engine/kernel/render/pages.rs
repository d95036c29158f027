//! The pages of the web application: templates that extend and include one another, escaped, with the catalogue's sentences at hand.
//!
//! They are the engine's own or an administrator's, never a rule author's, so they get the whole template language.

use super::letter::{FrameError, say};
use super::{RenderError, render_error, strict_environment};
use minijinja::Environment;
use minijinja::value::{Serde, Value};
use serde::Serialize;

/// Templates by name, ready to be filled.
#[derive(Clone, Debug)]
pub struct Pages {
    environment: Environment<'static>,
}

impl Pages {
    /// Reads templates by name (`item.html` …). Each is tried at once: one that cannot be read is told of here.
    pub fn new<'a>(sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Pages, FrameError> {
        let mut environment = strict_environment();
        environment.set_fuel(None);
        environment.add_function("say", say);
        for (name, source) in sources {
            environment
                .add_template_owned(name.to_string(), source.to_string())
                .map_err(|error| FrameError { frame: name.to_string(), error: render_error(&error) })?;
        }
        Ok(Pages { environment })
    }

    /// Fills a template. `lang` among the values (`zh-CN`, `en`) says in which language it speaks.
    pub fn fill(&self, name: &str, values: &impl Serialize) -> Result<String, RenderError> {
        let template = self.environment.get_template(name).map_err(|error| render_error(&error))?;
        template.render(Value::from(Serde(values))).map_err(|error| render_error(&error))
    }
}

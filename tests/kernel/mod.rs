//! Tests of the pure kernel, one file a module.

mod access;
mod calendar;
mod check;
mod cron;
mod date_question;
mod derive;
mod letter;
mod mailing;
mod render;
mod rules;
mod similar;
mod steps;
mod tally;
mod typed;
mod window;

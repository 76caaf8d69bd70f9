//! The façade in a process of its own: the stories of the façade inside a node are true of it too, and those of its own.

mod host;
mod hostile;
mod process;
mod python;

use crate::support::facade_outside;
use crate::{kill, story, streaming};

#[test]
fn a_document_crosses() {
    facade_outside(story::a_document_crosses_to_two_departments_and_what_they_say_of_it_comes_back);
}

#[test]
fn a_refusal_reads_the_same() {
    facade_outside(story::a_letter_that_cannot_reach_everybody_reaches_nobody_and_names_whom_it_could_not);
}

#[test]
fn a_call_is_in_one_trace_in_both_processes() {
    facade_outside(story::traced::the_line_of_a_call_names_the_trace_of_the_message_that_it_sent);
}

#[test]
fn what_a_receiver_says_has_the_same_effect() {
    facade_outside(|| {
        story::outcome::a_failed_delivery_stays_listed_and_is_delivered_late();
        story::outcome::after_done_every_word_is_taken_and_changes_nothing();
        story::outcome::anothers_delivery_is_refused_like_one_that_nobody_has();
    });
}

#[test]
fn a_repeat_has_one_doc_id_through_restarts_and_kills_of_the_node() {
    facade_outside(story::repeat::the_same_packet_has_one_doc_id_through_restarts_and_kills_and_is_delivered_once);
}

#[test]
fn two_hundred_megabytes_cross_in_a_few_megabytes_of_memory() {
    facade_outside(streaming::two_hundred_megabytes_cross_in_a_few_megabytes_of_memory);
}

#[test]
fn the_node_is_killed_between_an_append_and_its_answer() {
    facade_outside(|| kill::killed_at("after-accept", 9));
}

#[test]
fn the_node_is_killed_while_a_packet_comes_in() {
    facade_outside(|| kill::killed_at("inside-object", 40));
}

#[test]
fn the_node_is_killed_while_a_packet_is_handed_out() {
    facade_outside(|| kill::killed_at("inside-fetch", 7));
}

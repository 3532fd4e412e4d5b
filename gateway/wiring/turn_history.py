"""Conversation history of a turn engine, and the counts of a trial: both are written behind."""

from flows.engine.conversation import TurnEngine
from gateway.publishing.trial_counter import TrialCounter
from storage.audit.conversation_writer import ConversationWriter
from storage.audit.write_behind import WriteBehind


def watch_turns(conversations: TurnEngine, writer: ConversationWriter) -> TurnEngine:
    """Record the turns of these conversations, and return them."""
    conversations.turn_recorders.append(writer.record_turn)
    conversations.close_listeners.append(writer.record_end)
    return conversations


def count_trials(conversations: TurnEngine, write_behind: WriteBehind) -> TurnEngine:
    """Count the sides of a trial in these conversations, and return them."""
    counter = TrialCounter(conversations.menu_turns.menu_versions, write_behind)
    write_behind.feeders.append(counter.hand_over)
    conversations.turn_listeners.append(counter.record_turn)
    return conversations

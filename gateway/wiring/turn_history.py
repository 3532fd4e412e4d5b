"""Conversation history of a turn engine: its turns and ends go to the writer."""

from flows.engine.conversation import TurnEngine
from storage.audit.conversation_writer import ConversationWriter


def watch_turns(conversations: TurnEngine, writer: ConversationWriter) -> TurnEngine:
    """Record the turns of these conversations, and return them."""
    conversations.turn_recorders.append(writer.record_turn)
    conversations.close_listeners.append(writer.record_end)
    return conversations

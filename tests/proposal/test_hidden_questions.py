"""A held-out question is recognised wherever it is quoted, in any language and however short it is."""

from __future__ import annotations

import pytest

from karpathy_self_improve.proposal.held_out import Question, shows

QUOTED = [
    ("東京の明日の天気を教えてください", "ユーザー「東京の明日の天気を教えてください」と聞かれましたが失敗しました"),
    ("กรุงเทพวันนี้ฝนตกไหม", "x กรุงเทพวันนี้ฝนตกไหม y"),
    ("今日の天気は", "昨日と同じで、今日の天気は」と言われた"),
    ("Cancel subscription", "They typed: CANCEL  subscription, and the agent was rude."),
    ("Kündigen!", "Auf »kündigen« kam keine Antwort."),
    ("Hi", "hi!"),
    ("Where is the lighthouse of the north?", "It was asked where is the lighthouse of the south, and failed."),
]
HARMLESS = [
    ("Hi", "Hi there, what is the weather?"),
    ("Help", "It was of no help at all."),
    ("Subscription cancel", "They asked how to cancel a subscription."),
    ("Conceive", "An inconceivable answer."),
    ("東京の明日の天気を教えてください", "東京の天気は晴れです"),
    ("?!", "Really?!"),
]


@pytest.mark.parametrize(("question", "text"), QUOTED)
def test_a_quoted_question_is_seen(question: str, text: str) -> None:
    assert shows(text, [Question(question, "person")])


@pytest.mark.parametrize(("question", "text"), HARMLESS)
def test_a_text_about_something_else_is_not_held_back(question: str, text: str) -> None:
    assert not shows(text, [Question(question, "person")])

import sys

import pytest
from waders_compat.question import Question
from waders_compat.side import NoAnswer, Program, Recording, settings

LIST = Question("list", ("list", "::"))


def test_a_program_is_run_in_the_checkout_with_its_settings(tmp_path):
    script = "import os, sys; print(os.getcwd(), os.environ['SETTING'], *sys.argv[1:])"
    program = Program([sys.executable, "-c", script], tmp_path, {"SETTING": "on"})
    assert program.answer(LIST).text == f"{tmp_path} on list ::\n"


def test_the_exit_code_and_messages_are_recorded(tmp_path):
    script = "import sys; print('hm', file=sys.stderr); sys.exit(3)"
    answer = Program([sys.executable, "-c", script], tmp_path).answer(LIST)
    assert (answer.text, answer.exit_code, answer.messages) == ("", 3, "hm\n")


def test_a_recording_has_the_questions_of_its_index_with_an_answer(tmp_path):
    rows = ["list\tpants list ::", "roots\tpants roots", "help\tpants help", "changed\tpants --changed-since=HEAD list"]
    (tmp_path / "INDEX.tsv").write_text("\n".join(rows))
    for name in ("list", "help", "changed"):
        (tmp_path / f"{name}.out").write_text(f"output of {name}\n")
    recording = Recording(tmp_path)
    questions = recording.questions()
    assert [question.words for question in questions] == [("list", "::"), ("--changed-since=HEAD", "list")]
    assert recording.answer(questions[1]).text == "output of changed\n"
    with pytest.raises(NoAnswer, match="contains no answer to `roots`"):
        recording.answer(Question("roots", ("roots",)))


def test_a_file_is_a_recording_of_peek(tmp_path):
    file = tmp_path / "some.peek.json"
    file.write_text("[]")
    recording = Recording(file)
    (peek,) = recording.questions()
    assert peek.is_peek
    assert recording.answer(peek).text == "[]"


def test_settings_are_lines_of_names_and_values():
    assert settings("# comment\n\nA=1\nB=x=y z\n") == {"A": "1", "B": "x=y z"}
    with pytest.raises(ValueError, match="`A 1` is not of the form `NAME=value`"):
        settings("A 1")

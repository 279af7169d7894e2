"""What every service has: login through the hub, tokens for programs, forgery refused, words in both languages."""

from __future__ import annotations

import pytest

from tests.web.conftest import ORIGIN, PREFIX, listening, make_service

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAGE = f"{ORIGIN}{PREFIX}"

CSP_MUST = (
    "default-src 'none'",
    "script-src 'self'",
    "frame-ancestors 'none'",
    "form-action 'self'",
    "base-uri 'none'",
)


async def test_health_is_open_and_says_with_its_status_whether_the_service_can_work(essai):
    answer = await essai.client.get("health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "database": "ok"})
    essai.service.well = False
    answer = await essai.client.get("health")
    assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")


async def test_metrics_need_the_hubs_own_scope_for_them(essai):
    assert (await essai.client.get("metrics")).status_code == 401
    wrong = await essai.client.get("metrics", headers={"Authorization": f"Bearer {'n' * 32}"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (403, "missing-scope")
    right = await essai.client.get("metrics", headers={"Authorization": f"Bearer {'w' * 32}"})
    assert right.status_code == 200
    assert right.headers["Content-Type"].startswith("text/plain")


async def test_a_page_sends_who_is_not_logged_in_to_the_hub_and_back_to_where_she_wanted(essai):
    browser = essai.visitor("fr")
    first = await browser.get(f"{PAGE}?day=1")
    assert first.status_code == 302
    assert "/hub/api/oauth2/authorize" in first.headers["Location"]
    await browser.log_in("lea")
    page = await browser.get(f"{PAGE}?day=1", follow_redirects=True)
    assert page.status_code == 200
    assert str(page.url).endswith("/services/essai/?day=1")
    assert "Lea" in page.text


async def test_an_api_answers_401_as_json_and_never_leads_to_a_login_page(essai):
    answer = await essai.client.get("api/v1/me", headers={"Accept-Language": "en"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json() == {
        "error": {
            "code": "no-token",
            "message": "A token is needed",
            "detail": "Send an API token in the Authorization header.",
        }
    }


@pytest.mark.parametrize("token", ["x" * 32, "é", "a b"])
async def test_a_token_that_the_hub_does_not_know_is_none(essai, token):
    answer = await essai.client.get("api/v1/me", headers={b"Authorization": f"Bearer {token}".encode()})
    assert answer.status_code in (401, 403)


async def test_a_programs_token_reaches_the_api_and_is_nobody_on_a_persons_page(essai):
    headers = {"Authorization": f"Bearer {'n' * 32}"}
    assert (await essai.client.get("api/v1/me", headers=headers)).json() == {"name": "nobody"}
    assert (await essai.client.get("api/v1/guarded", headers=headers)).status_code == 403
    assert (await essai.client.post("", headers=headers)).status_code == 403


async def test_a_form_without_the_pages_own_token_is_refused_and_with_it_done(essai):
    browser = essai.visitor("en")
    await browser.log_in("bob")
    await browser.get(PAGE, follow_redirects=True)
    forged = await browser.client.post(PAGE, data={})
    assert forged.status_code == 403
    assert "sent from another site" in forged.text
    token = max((c for c in browser.client.cookies.jar if c.name == "_xsrf"), key=lambda c: len(c.path)).value
    done = await browser.client.post(PAGE, data={"_xsrf": token})
    assert (done.status_code, done.text) == (200, "done by bob")


async def test_an_api_called_with_a_persons_cookie_is_guarded_against_forgery_too(essai):
    browser = essai.visitor("en")
    await browser.log_in("bob")
    await browser.get(PAGE, follow_redirects=True)
    forged = await browser.client.post(f"{PAGE}api/v1/me", json={"number": 1})
    assert (forged.status_code, "error" in forged.json()) == (403, True)
    by_token = await essai.client.post("api/v1/me", json={"number": 1}, headers={"Authorization": f"Bearer {'n' * 32}"})
    assert by_token.json() == {"number": 1}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"number": "one"}', b'{"number": 1, "more": 2}', b"\xff"])
async def test_a_body_that_is_not_what_was_asked_for_is_400_with_the_wrong_member(essai, body):
    headers = {"Authorization": f"Bearer {'n' * 32}", "Accept-Language": "en"}
    answer = await essai.client.post("api/v1/me", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad-body")


async def test_each_page_allows_no_script_but_our_own_files_and_no_frame(essai):
    for path in ("accessibility", "privacy", "guide", "nowhere", "health"):
        answer = await essai.client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert all(part in policy for part in CSP_MUST), path
        assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "<script>" not in answer.text


@pytest.mark.parametrize(
    ("asked", "language", "title"),
    [
        ("fr", "fr", "Accessibilité"),
        ("en", "en", "Accessibility statement"),
        ("de", "fr", "Accessibilité"),
        ("de, en;q=0.5", "en", "Accessibility statement"),
        ("", "fr", "Accessibilité"),
    ],
)
async def test_a_page_speaks_the_readers_language_and_says_which(essai, asked, language, title):
    answer = await essai.client.get("accessibility", headers={"Accept-Language": asked} if asked else {})
    assert answer.headers["Content-Language"] == language
    assert f'<html lang="{language}">' in answer.text
    assert title in answer.text


@pytest.mark.parametrize(
    ("page", "words"), [("accessibility", "RGAA"), ("privacy", "dpo@example.fr"), ("guide", "Ctrl")]
)
async def test_the_accessibility_statement_the_privacy_page_and_the_guide_are_there_for_everybody(essai, page, words):
    for language in ("fr", "en"):
        answer = await essai.client.get(page, headers={"Accept-Language": language})
        assert answer.status_code == 200
        assert words in answer.text
        assert f'href="{PREFIX}accessibility"' in answer.text
        assert f'href="{PREFIX}privacy"' in answer.text
        assert f'href="{PREFIX}guide"' in answer.text


async def test_the_language_switch_keeps_the_choice_and_leads_back(essai):
    browser = essai.visitor("fr")
    answer = await browser.client.post(f"{PAGE}language", data={"language": "en", "next": f"{PREFIX}privacy"})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{PREFIX}privacy")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("jupytercloud-language=en")
    assert all(word in cookie for word in ("HttpOnly", "SameSite=Lax", "Path=/@/space%20word/"))
    page = await browser.get(f"{PAGE}privacy")
    assert page.headers["Content-Language"] == "en"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        f"{PREFIX}\\evil",
        f"{PREFIX}\r\nSet-Cookie: a=b",
        f"http://evil.example{PREFIX}",
        "javascript:alert(1)",
        "",
        "/other/",
    ],
)
async def test_the_language_switch_never_leads_to_another_host(essai, elsewhere):
    answer = await essai.client.post("language", data={"language": "en", "next": elsewhere})
    assert answer.headers["Location"] == PREFIX
    assert len(answer.headers.get_list("Set-Cookie")) <= 2


async def test_a_language_that_there_is_not_is_not_kept(essai):
    answer = await essai.client.post("language", data={"language": "de", "next": PREFIX})
    assert "jupytercloud-language" not in answer.headers.get("Set-Cookie", "")


@pytest.mark.parametrize(("language", "words"), [("fr", "n'existe pas"), ("en", "There is no such page")])
async def test_an_address_that_leads_nowhere_is_a_page_with_404(essai, language, words):
    answer = await essai.client.get("nowhere", headers={"Accept-Language": language})
    assert answer.status_code == 404
    assert words in answer.text.replace("&#39;", "'")


@pytest.mark.parametrize(("language", "words"), [("fr", "de notre côté"), ("en", "Something broke on our side")])
async def test_what_breaks_is_a_page_with_500_that_tells_no_detail(essai, language, words):
    answer = await essai.client.get("broken/hidden", headers={"Accept-Language": language})
    assert answer.status_code == 500
    assert words in answer.text
    assert "secret detail" not in answer.text
    assert "Traceback" not in answer.text


async def test_an_error_for_people_has_its_own_status_and_says_when_to_come_back(essai):
    answer = await essai.client.get("broken/public")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")


async def test_a_method_that_an_address_does_not_take_is_405(essai):
    answer = await essai.client.delete("health", headers={"Authorization": f"Bearer {'n' * 32}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method-not-allowed")


@pytest.mark.parametrize("query", ["?lang=%ff", "?lang=", "?lang=de", "?lang=%00"])
async def test_a_strange_language_in_the_address_is_an_ordinary_page(essai, query):
    answer = await essai.client.get(f"privacy{query}", headers={"Accept-Language": "en"})
    assert answer.status_code in (200, 400)
    assert '<html lang="' in answer.text


async def test_a_hub_that_does_not_answer_is_told_and_not_taken_for_a_logout(tmp_path):
    async with listening(make_service(tmp_path, "http://127.0.0.1:1/hub/api")) as client:
        headers = {"Authorization": f"Bearer {'x' * 32}", "Accept-Language": "en"}
        answer = await client.get("api/v1/me", headers=headers)
        assert answer.status_code >= 500
        assert answer.json()["error"]["code"] == "hub-away"
        page = await client.get("", headers=headers)
        assert page.status_code >= 500
        assert "does not answer" in page.text
        assert (await client.get("health")).status_code == 200

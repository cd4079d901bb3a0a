"""What a new user does next: three commands, then what the answers ask for."""

import shlex

from recoup.domain.base import Frozen
from recoup.starting.answers import ENVIRONMENT_FILE, Answers
from recoup.starting.files import FIRST_EVENT, UNKNOWN_URL

_CHANGES = {
    "github": "GitHub: Settings > Webhooks > {url}/hooks/github, application/json, the secret "
    "RECOUP_GITHUB_WEBHOOK_SECRET, events Deployment statuses and Releases; or ci/ for a step",
    "gitlab": "GitLab: Settings > Webhooks > {url}/hooks/gitlab, the secret token "
    "RECOUP_GITLAB_WEBHOOK_TOKEN, deployment, feature flag and release events; or ci/ for a job",
    "launchdarkly": "LaunchDarkly: Integrations > Webhooks > {url}/hooks/launchdarkly, signed with "
    "RECOUP_LAUNCHDARKLY_WEBHOOK_SECRET; an API token in {env} lets Recoup switch flags",
    "argo": "Argo: {url}/hooks/argo with RECOUP_ARGO_WEBHOOK_TOKEN as bearer token; "
    "docs/ci/argo-notifications.yaml has the templates",
    "cdevents": "CDEvents: {url}/hooks/cdevents with RECOUP_CDEVENTS_WEBHOOK_TOKEN as bearer token",
    "shopify": "Shopify: Settings > Notifications > Webhooks > {url}/hooks/shopify, format JSON; "
    "put the secret shown there into {env}",
    "meta_ads": "Meta: put an access token into {env} and the account under [meta_ads]",
    "google_ads": "Google Ads: put the tokens into {env} and the customer under [google_ads]",
}
_EVENTS = {
    "api": "your servers: POST {url}/v1/events, one JSON object a line, key RECOUP_EVENTS_KEY",
    "tracker": 'the tracker: <script async src="{url}/recoup.js" data-key="{key}"></script> on '
    "every page (docs/tracker.md has what to say besides); your pages are allowed_origins",
    "segment": "Segment: the library's host is {url}, its write key {key}",
    "ga4": "GA4: send to {url}/mp/collect?api_secret={key} too; "
    "past days by `recoup import FILE --format ga4`",
    "snowplow": "Snowplow: a second collector at {url}, post path "
    "/com.snowplowanalytics.snowplow/tp2?key={key}",
    "shopify": _CHANGES["shopify"],
}


class Steps(Frozen):
    """Three commands to begin with, and what else there is to do."""

    commands: tuple[str, ...]
    further: tuple[str, ...]


def steps(answers: Answers, write_key: str = "") -> Steps:
    """Return what a new user does next; the write key is public, so it stands in what to copy."""
    folder = answers.folder
    source = f". {shlex.quote(str(folder / ENVIRONMENT_FILE))}"
    event = shlex.quote(str(folder / FIRST_EVENT))
    commands = (
        f"{source} && recoup serve",
        f"{source}   # in a second terminal\n"
        '     curl "$RECOUP_URL/v1/events" -H "Authorization: Bearer $RECOUP_KEY" '
        f"--data-binary @{event}",
        'recoup change record --kind config --title "Recoup was set up"',
    )
    return Steps(commands=commands, further=tuple(_further(answers, write_key)))


def _further(answers: Answers, write_key: str) -> list[str]:
    url = answers.public_url or UNKNOWN_URL
    env = str(answers.folder / ENVIRONMENT_FILE)
    found = [
        f"look: {answers.local_url}; sign in with RECOUP_KEY, or by the link that "
        "`recoup keys link NAME --role admin` prints",
        "ask: `recoup doctor` says what has arrived, what works, and how to mend what does not",
    ]
    told = [_EVENTS[name] for name in answers.sources]
    told += [_CHANGES[name] for name in answers.vendors]
    found += [text.format(url=url, env=env, key=write_key) for text in dict.fromkeys(told)]
    if answers.chat == "slack":
        found.append(
            f"Slack: make the app from slack-manifest.yaml, put its two tokens into {env} and the "
            "channel's id under [slack], start again, and prove it by `recoup doctor --click`"
        )
    if not answers.public_url:
        found.append(
            "vendors need an address that they reach: once there is one, it is public_url in "
            f"recoup.toml; {UNKNOWN_URL} stands for it above"
        )
    if answers.shadow:
        found.append(
            "shadow mode is on: Recoup does everything but act. Learning takes two days of events; "
            "`recoup import` brings past ones. Later: shadow = false under [response]"
        )
    return found

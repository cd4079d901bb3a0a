"""The ASGI application of the api role: API, inbound webhooks, pages."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from recoup import __version__
from recoup.app import App
from recoup.domain.errors import RecoupError
from recoup.domain.ports import DecisionDesk
from recoup.labels import Labels
from recoup.observability import Metrics
from recoup.web import sessions
from recoup.web.api import add_api
from recoup.web.freezing import add_freezing
from recoup.web.guard import Guard
from recoup.web.hooks import add_hooks
from recoup.web.ingest import make_ingest
from recoup.web.labelling import add_labelling
from recoup.web.pages import add_pages
from recoup.web.pictures import add_pictures
from recoup.web.problems import for_people, on_error, on_http_error, on_invalid
from recoup.web.rendering import Renderer
from recoup.web.schema import describe_ingest
from recoup.web.signin import add_sign_in
from recoup.web.sources import add_sources
from recoup.web.throttle import Throttle
from recoup.web.tracker import add_tracker

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SlackHandler = Callable[[Request], Awaitable[Response]]


def build_web(
    app: App,
    desk: DecisionDesk,
    slack_handler: SlackHandler | None = None,
    alongside: Callable[[], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """Return the application; ``slack_handler`` takes Slack's interactions when there is one.

    ``alongside`` is kept open while the application runs: a socket to a chat.
    """
    metrics, guard = Metrics(), Guard(app, Throttle(app.settings.web))
    secret = sessions.secret_of(app.store.master_key)
    appender = app.store.appender()

    @asynccontextmanager
    async def lifespan(_web: FastAPI) -> AsyncIterator[None]:
        appender.start()
        async with alongside() if alongside else nullcontext():
            yield
        appender.close()

    web = FastAPI(
        title="Recoup", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    web.state.guard = guard
    web.add_exception_handler(RequestValidationError, on_invalid)
    web.add_middleware(SessionMiddleware, secret_key=secret, **sessions.cookie_of(app.settings))
    web.add_middleware(BaseHTTPMiddleware, dispatch=_secure)
    ingest = make_ingest(appender.submit, guard, metrics, app.store.note_rejected)
    web.add_route("/v1/events", ingest, methods=["POST"])
    add_api(web, app, desk, guard, metrics)
    labels = Labels(app.store)
    add_labelling(web, app, desk, guard, labels)
    add_freezing(web, app, guard)
    add_hooks(web, app, appender.submit, metrics)
    add_sources(web, app, appender.submit, guard, metrics)
    add_tracker(web)
    renderer = Renderer()
    pages = add_pages(web, app, desk, guard, renderer, labels)
    add_pictures(web, app, guard, secret)
    add_sign_in(web, app, guard, renderer, secret)
    web.add_exception_handler(RecoupError, for_people(pages.problem, on_error))
    web.add_exception_handler(HTTPException, for_people(pages.problem, on_http_error))
    if slack_handler is not None:
        web.add_route("/slack/events", slack_handler, methods=["POST"])
    web.mount("/static", StaticFiles(directory=str(files("recoup.web") / "static")))
    describe_ingest(web)
    return web


async def _secure(request: Request, call_next: Any) -> Response:
    answer: Response = await call_next(request)
    answer.headers.setdefault("Content-Security-Policy", POLICY)
    answer.headers.setdefault("X-Content-Type-Options", "nosniff")
    answer.headers.setdefault("Referrer-Policy", "same-origin")
    return answer

"""Statements about statements: what FETCH and EXECUTE do depends on what the session has under a name.

SQL and protocol share both namespaces: EXECUTE runs what Parse has made and Bind takes what PREPARE has made, FETCH
reads a portal of Bind and Execute a cursor of DECLARE. So a plan that names one is completed when it is used, and a
portal remembers what it was completed with: where the name means something else by then, it does not run.

What the server has closed with a savepoint or transaction that was rolled back may stay known here. That does no harm:
the server refuses the name, or it has been given anew, and then it is known anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from proxy.errors import Refused
from proxy.session.conversation import Conversation, Link, Portal, Prepared
from proxy.session.names import UNSETTLED, Names
from proxy.session.planner import Basis, is_of_pooler
from proxy.session.refusals import missing_statement, name_of_pooler, plan_changed
from proxy.session.rewriting import AnyChange, literal_keys
from proxy.sql.execution import complete
from proxy.sql.plan import Effect, Plan

Current = Callable[[bytes], Prepared | None]
"""The prepared statement of a name, its plan still true; None: hold the message. Raises Refused."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A plan that names nothing any more, and the names that it was completed with."""

    plan: Plan
    links: tuple[Link, ...] = ()
    is_binary: bool = False
    """FETCH from a BINARY cursor."""


def resolve(c: Conversation, plan: Plan, current: Current, *, inherited: bool) -> Resolved | None:
    """None: hold the message, an earlier batch is about to change the name. `inherited`: the server may know names of
    what nobody has analysed. Raises Refused."""
    if c.planner.pooled:
        given = plan.deallocates if plan.prepares is None else plan.prepares.name
        if given is not None and is_of_pooler(given):
            raise name_of_pooler(given)
    if plan.executes is None and plan.fetches is None:
        return Resolved(plan)
    links: tuple[Link, ...] = ()
    if plan.executes is not None:
        name = c.planner.encode(plan.executes.name)
        prepared = c.statements.look(name, c.batch)
        if prepared is UNSETTLED:
            return None
        if prepared is None and not plan.executes.arguments and not inherited and not c.planner.pooled:
            return Resolved(replace(plan, executes=None))  # the server judges the name; nothing is written in here
        prepared = current(name)
        if prepared is None:
            return None
        if prepared.sent and c.planner.is_foreign(name, prepared.sent):
            raise missing_statement(name)  # the pooler has given another name to what Parse has made
        links = (Link("statement", name, prepared), *prepared.links)
        plan = complete(plan, prepared.plan, prepared.parameter_count)
    if plan.fetches is None:
        return Resolved(plan, links)
    name = c.planner.encode(plan.fetches)
    portal = c.portals.look(name, c.batch)
    if portal is UNSETTLED:
        return None
    if portal is None:
        if inherited:
            raise plan_changed()
        return Resolved(replace(plan, fetches=None), links)  # none that has sealed columns
    if portal.plan.copy is not None:
        raise Refused(
            f'portal "{plan.fetches}" is a COPY of sealed columns and cannot be read by FETCH',
            hint="execute the portal by the protocol",
        )
    read = replace(
        plan,
        fetches=None,
        results=portal.plan.results,
        effects=plan.effects | portal.plan.effects,
        tables=portal.plan.tables,
    )
    return Resolved(read, (*links, Link("portal", name, portal)), portal.is_binary)


def effects_in_order(c: Conversation, plans: Iterable[Plan]) -> list[Effect]:
    """What each statement of one string changes, with what it runs by name: the string itself may give that name. Of an
    unknown name there is none: the server does not know it either, or it is refused."""
    statements, portals, found = Names[Plan](), Names[Plan](), list[Effect]()
    for plan in plans:
        effects = plan.effects
        if (execution := plan.executes) is not None:
            plan = _of_name(c, execution.name, statements, c.statements)
            effects |= plan.effects
        if plan.fetches is not None:
            effects |= _of_name(c, plan.fetches, portals, c.portals).effects
        found.append(effects)
        if Effect.DEALLOCATE_ALL in effects:
            statements.change(None, Plan(), 0)
        elif plan.deallocates is not None:
            statements.change(c.planner.encode(plan.deallocates), Plan(), 0)
        if Effect.CLOSE_ALL in effects:
            portals.change(None, Plan(), 0)
        elif plan.closes is not None:
            portals.change(c.planner.encode(plan.closes), Plan(), 0)
        if plan.prepares is not None:
            statements.change(c.planner.encode(plan.prepares.name), plan.prepares.plan, 0)
        if plan.declares is not None:
            portals.change(c.planner.encode(plan.declares.name), plan.declares.plan, 0)
    return found


def _of_name(c: Conversation, name: str, given: Names[Plan], names: Names[Prepared] | Names[Portal]) -> Plan:
    """The plan that stands under a name; `given`: by the string itself. While that is not settled, it may be any."""
    key = c.planner.encode(name)
    plan = given.look(key, 0)
    if plan is not None and plan is not UNSETTLED:
        return plan
    known = names.look(key, c.batch)
    if known is UNSETTLED:
        return Plan(effects=Effect.CATALOG | Effect.SETTINGS)
    return Plan() if known is None else known.plan


def intact(c: Conversation, links: tuple[Link, ...]) -> bool | None:
    """Whether all names still mean what they meant; None: an earlier batch is about to change one."""
    for link in links:
        value = (c.statements if link.kind == "statement" else c.portals).look(link.name, c.batch)
        if value is UNSETTLED:
            return None
        if value is not link.value:
            return False
    return True


def changes(c: Conversation, plan: Plan, text: str, basis: Basis | None) -> list[AnyChange]:
    """The names that a statement gives and takes away once it is done; `basis` is what its plan rests on."""
    found: list[AnyChange] = []
    if Effect.DEALLOCATE_ALL in plan.effects:
        found.append(c.statements.change(None, None, c.batch))
    elif plan.deallocates is not None:
        found.append(c.statements.change(c.planner.encode(plan.deallocates), None, c.batch))
    if Effect.CLOSE_ALL in plan.effects:
        found.append(c.portals.change(None, None, c.batch))
    elif plan.closes is not None:
        found.append(c.portals.change(c.planner.encode(plan.closes), None, c.batch))
    if (made := plan.prepares) is not None:
        keys = literal_keys(plan, c.sealers)
        prepared = Prepared(text, made.types, made.plan, basis, whole=plan, keys=keys, turn=c.planner.turn)
        found.append(c.statements.change(c.planner.encode(made.name), prepared, c.batch))
    if (cursor := plan.declares) is not None:
        portal = Portal(cursor.plan, is_held=cursor.is_held, is_binary=cursor.is_binary)
        found.append(c.portals.change(c.planner.encode(cursor.name), portal, c.batch))
    return found

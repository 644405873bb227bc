"""Django's ORM and admin over sealed columns; run after `migrate`."""

import datetime
import os
import uuid
from decimal import Decimal

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

import django

django.setup()

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import NotSupportedError, connection, transaction
from django.db.models import Count, Max, Min, Q
from django.db.utils import IntegrityError
from django.test import Client
from shop.models import Order, Person

EMAIL = "ada.canary@mail.example"
ADA = {
    "id": 1,
    "name": "Ada Canary-Lovelace",
    "email": EMAIL,
    "born": datetime.date(1815, 12, 10),
    "balance": Decimal("98765.43"),
    "visits": 4711,
    "seen": datetime.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=datetime.UTC),
    "token": uuid.UUID("c0ffee00-ca9a-4ee1-8000-0123456789ab"),
    "photo": b"\x00canaryphoto\xff",
    "profile": {"hobby": "canary breeding"},
    "notes": "met Mr Babbage at the canary soirée",
    "city": "London",
}
people = Person.objects

# Insert, and read back.
people.create(**ADA)
Person(id=2, name="Grace Canary-Hopper", email="grace.canary@mail.example", born="1906-12-09", balance="12.50").save()
stored = people.values().get(email=EMAIL)
assert {field: stored[field] for field in ADA} | {"photo": bytes(stored["photo"])} == ADA
assert stored["nickname"] == ""

# Equality, ranges, order, aggregates.
assert list(people.filter(born__range=("1815-12-10", "1950-01-01")).order_by("-born").values_list("id", flat=True)) == [
    2,
    1,
]
assert people.filter(token=ADA["token"], seen__gte=ADA["seen"], visits__gt=4710).count() == 1
assert people.filter(email__in=[EMAIL, "nobody.canary@mail.example"]).exists()
assert people.filter(Q(email=EMAIL) | Q(email="grace.canary@mail.example")).exclude(born__lt="1900-01-01").get().id == 2
assert people.aggregate(Max("born"), Min("balance")) == {
    "born__max": datetime.date(1906, 12, 9),
    "balance__min": Decimal("12.50"),
}
assert people.earliest("born").id == 1
assert people.in_bulk([EMAIL], field_name="email")[EMAIL].city == "London"

# Update, joins.
assert people.filter(email=EMAIL).update(balance=Decimal("31337.25"), notes=None) == 1
ada = people.get(email=EMAIL)
assert (ada.balance, ada.notes) == (Decimal("31337.25"), None)
ada.order_set.create(total=10)
Order.objects.create(person=ada, total="20.25")
assert [order.person.name for order in Order.objects.select_related("person").filter(total__gt=15)] == [ADA["name"]]
assert people.filter(order__total__gte=Decimal("20.25")).get() == ada
assert [p.n for p in people.annotate(n=Count("order")).filter(id__lt=10).order_by("id")] == [2, 0]
assert {p.email: len(p.order_set.all()) for p in people.prefetch_related("order_set")} == {
    EMAIL: 2,
    "grace.canary@mail.example": 0,
}

# Batches.
people.bulk_create([Person(id=n, email=f"batch{n}.canary@mail.example") for n in range(100, 150)], batch_size=20)
several = list(people.filter(id__gte=100).order_by("id"))
for person in several:
    person.born = datetime.date(2000, 1, 1) + datetime.timedelta(person.id)
    person.notes, person.balance = f"note {person.id}", person.id / Decimal(8)
assert people.bulk_update(several, ["born", "notes", "balance"], batch_size=20) == 50
assert people.get(id=101).balance == Decimal("12.63")
assert people.filter(born__gt="2000-01-01").count() == 50
people.bulk_create(
    [Person(id=100, email="batch100.canary@mail.example", visits=1)],
    update_conflicts=True,
    unique_fields=["id"],
    update_fields=["visits"],
)
assert people.get(id=100).visits == 1
assert people.get_or_create(email=EMAIL)[1] is False
assert people.update_or_create(email=EMAIL, defaults={"visits": 4712})[0].visits == 4712
assert len(list(people.iterator(chunk_size=7))) == 52

# Errors and a second try.
try:
    with transaction.atomic():
        people.create(id=3, email=EMAIL)
    raise AssertionError("no error")
except IntegrityError as error:
    assert "people_email" in str(error)
try:
    with transaction.atomic():
        people.filter(notes__contains="at the canary soir").exists()
    raise AssertionError("no error")
except NotSupportedError as error:
    assert "public.people.notes" in str(error)
try:
    with transaction.atomic():
        people.filter(email__icontains="canary").exists()  # what the admin's search does unless told otherwise
    raise AssertionError("no error")
except NotSupportedError as error:
    assert "public.people.email" in str(error)
with transaction.atomic():
    people.create(id=3, email="third.canary@mail.example")
    people.select_for_update().get(id=3).delete()

# The admin.
User.objects.create_superuser("root", password="root")
client = Client()
assert client.login(username="root", password="root")
page = client.get("/admin/shop/person/", {"q": EMAIL, "o": "-3"})
assert page.status_code == 200
assert EMAIL in page.text and "grace.canary" not in page.text
page = client.get("/admin/shop/person/1/change/")
assert page.status_code == 200
assert "Ada Canary-Lovelace" in page.text and "20.25" in page.text
form = {
    "id": 4,
    "nickname": "Edie",
    "name": "Edith Canary-Lovelace",
    "email": "edith.canary@mail.example",
    "born": "1883-05-05",
    "order_set-TOTAL_FORMS": 1,
    "order_set-INITIAL_FORMS": 0,
    "order_set-0-total": "7.77",
}
page = client.post("/admin/shop/person/add/", form)
assert page.status_code == 302
assert people.get(email="edith.canary@mail.example").order_set.get().total == Decimal("7.77")
page = client.post("/admin/shop/person/4/delete/", {"post": "yes"})
assert page.status_code == 302
assert not people.filter(id=4).exists()
assert [entry.object_repr for entry in LogEntry.objects.order_by("id")] == ["edith.canary@mail.example"] * 2
assert "7.77 for edith.canary@mail.example" in LogEntry.objects.earliest("id").change_message
assert "edith.canary@mail.example" in client.get("/admin/").text

driver = connection.Database
print(f"client: Django {django.__version__} over {driver.__name__} {driver.__version__.split()[0]}")

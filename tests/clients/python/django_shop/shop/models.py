"""People and their orders."""

from django.db import models


class Person(models.Model):
    id = models.IntegerField(primary_key=True)
    name = models.CharField(max_length=80, null=True, blank=True)
    email = models.CharField(max_length=120, unique=True)
    born = models.DateField(null=True, blank=True, db_index=True)
    balance = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    visits = models.IntegerField(null=True, blank=True)
    seen = models.DateTimeField(null=True, blank=True)
    token = models.UUIDField(null=True, blank=True)
    photo = models.BinaryField(null=True, blank=True)
    profile = models.JSONField(null=True, blank=True)
    notes = models.TextField(null=True, blank=True)
    city = models.TextField(null=True, blank=True)

    class Meta:
        db_table = "people"

    def __str__(self) -> str:
        return self.email  # the admin copies this into its log, which is sealed too


class Order(models.Model):
    person = models.ForeignKey(Person, models.CASCADE, to_field="email", db_column="email")
    total = models.DecimalField(max_digits=12, decimal_places=2)

    class Meta:
        db_table = "orders"

    def __str__(self) -> str:
        return f"{self.total} for {self.person_id}"

"""People in the admin: listed by birth, with a hierarchy of cities, found by their exact address."""

from django.contrib import admin

from shop.models import Order, Person


class OrderInline(admin.TabularInline):
    model = Order


@admin.register(Person)
class PersonAdmin(admin.ModelAdmin):
    list_display = ["id", "email", "born", "balance"]
    list_filter = ["city"]
    search_fields = ["email__exact"]
    ordering = ["born"]
    inlines = [OrderInline]

from django.urls import path

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("add", views.add, name="add"),
    path("file/<int:id>", views.file, name="file"),
    path("private", views.private, name="private"),
]

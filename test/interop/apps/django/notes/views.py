from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from .models import Note


@require_GET
def home(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    context = {"notes": Note.objects.all(), "visits": request.session["visits"], "here": request.build_absolute_uri()}
    return render(request, "notes/home.html", context)


@require_POST
def add(request):
    Note.objects.create(text=request.POST["text"], file=request.FILES.get("file", ""))
    return redirect("home")


@require_GET
def file(request, id):
    note = get_object_or_404(Note, id=id)
    return FileResponse(note.file.open(), as_attachment=True)


@login_required
def private(request):
    return HttpResponse(f"Hello {request.user.username}")

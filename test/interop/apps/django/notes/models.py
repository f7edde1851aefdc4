from django.db import models


class Note(models.Model):
    text = models.TextField()
    file = models.FileField(blank=True)

    def __str__(self):
        return self.text[:40]
